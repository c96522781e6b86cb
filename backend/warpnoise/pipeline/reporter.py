"""Counts frames and steps, and reports the progress."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from warpnoise.progress import Progress, Stage


class Reporter:
    """Holds the progress and tells it. Frames may be counted in any thread; only ``report`` calls the listener."""

    def __init__(self, first: Progress, listener: Callable[[Progress], None] | None) -> None:
        self.now = first
        self._listener = listener
        self._batches_left = 0
        self._steps_timed = 0
        self._since: float | None = None
        self._lock = threading.Lock()
        self._warnings: tuple[str, ...] = ()
        self._written: tuple[int, int | None] = (first.frames_done, first.newest_frame)

    def found(self, result: str, kept: int) -> None:
        """The result's name, and how many of its frames are finished already."""
        self._written = (kept, None)
        self._update(result=result, frames_kept=kept)

    def report(self, stage: Stage | None = None) -> None:
        done, newest = self._written
        self._update(stage=stage or self.now.stage, frames_done=done, newest_frame=newest, warnings=self._warnings)
        if self._listener is not None:
            self._listener(self.now)

    def warn(self, *warnings: str) -> None:
        """Each warning is told once. May be called in any thread."""
        with self._lock:
            new = tuple(dict.fromkeys(text for text in warnings if text not in self._warnings))
            self._warnings += new

    def frame_written(self, frame: int) -> None:
        self._written = (self._written[0] + 1, frame)

    def expect(self, batches: int) -> None:
        """That many batches are to come."""
        self._batches_left = batches

    def step_done(self, step: int, steps: int) -> None:
        # Timed from the end of the first step on: the first one also sets up the device.
        now = time.monotonic()
        if step == 1:
            self._batches_left = max(self._batches_left - 1, 0)
        steps_left = self._batches_left * steps + steps - step
        seconds_left = None
        if self._since is None:
            self._since = now
        else:
            self._steps_timed += 1
            seconds_left = (now - self._since) / self._steps_timed * steps_left
        self._update(step=step, steps_total=steps, seconds_left=seconds_left)
        self.report()

    def _update(self, **changes: object) -> None:
        self.now = self.now.model_copy(update=changes)
