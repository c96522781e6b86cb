"""Counts frames and steps, and reports the progress."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from statistics import fmean

from warpnoise.progress import Progress, Stage


class Reporter:
    """Holds the progress and reports it. Any thread may count frames; only ``report`` calls the listener."""

    def __init__(self, first: Progress, listener: Callable[[Progress], None] | None) -> None:
        self.now = first
        self._listener = listener
        self._batches_left = 0
        self._last_step = 0.0
        self._steps: deque[float] = deque(maxlen=100)
        """Seconds of the last steps, without those that begin a batch."""
        self._ends: deque[float] = deque(maxlen=20)
        """When the last batches ended."""
        self._lock = threading.Lock()
        self._warnings: tuple[str, ...] = ()
        self._written: tuple[int, int | None] = (first.frames_done, first.newest_frame)

    def found(self, result: str, kept: int, total: int) -> None:
        """The result's name, and how many of the ``total`` frames, with all that they need, are finished already."""
        self._written = (kept, None)
        self._update(result=result, frames_kept=kept, frames_total=total)

    def report(self, stage: Stage | None = None) -> None:
        done, newest = self._written
        self._update(stage=stage or self.now.stage, frames_done=done, newest_frame=newest, warnings=self._warnings)
        if self._listener is not None:
            self._listener(self.now)

    def warn(self, *warnings: str) -> None:
        """Reports each warning once. May be called in any thread."""
        with self._lock:
            new = tuple(dict.fromkeys(text for text in warnings if text not in self._warnings))
            self._warnings += new

    def frame_written(self, frame: int, *, final: bool) -> None:
        """Counts a frame; ``final``: what lies in the result is not to be accumulated yet."""
        self._written = (self._written[0] + 1, frame if final else self._written[1])

    def frame_accumulated(self, frame: int) -> None:
        """A counted frame is final now. Called in the thread of ``report``."""
        self._written = (self._written[0], frame)
        self.report()

    def measured(self, share: float) -> None:
        """The autoencoder is measured up to this share, 0 to 1."""
        if share >= 1:
            self._update(step=0, steps_total=0)
            self.report("loading")
        else:
            self._update(step=int(share * 100), steps_total=100)
            self.report("measuring")

    def expect(self, batches: int) -> None:
        """That many batches are to come."""
        self._batches_left = batches

    def step_done(self, step: int, steps: int) -> None:
        now = time.monotonic()
        if step == 1:  # it also sets up the device, so it says nothing of a step's time
            self._batches_left = max(self._batches_left - 1, 0)
        else:
            self._steps.append(now - self._last_step)
        self._last_step = now
        if step == steps:
            self._ends.append(now)
        step_seconds = fmean(self._steps) if self._steps else None
        if len(self._ends) > 1:  # includes the work between batches; the steps' pace is known earlier
            batch_seconds: float | None = (self._ends[-1] - self._ends[0]) / (len(self._ends) - 1)
        else:
            batch_seconds = None if step_seconds is None else step_seconds * steps
        seconds_left = None
        if (step_seconds is not None or step == steps) and (batch_seconds is not None or not self._batches_left):
            seconds_left = self._batches_left * (batch_seconds or 0.0) + (steps - step) * (step_seconds or 0.0)
        self._update(step=step, steps_total=steps, seconds_left=seconds_left)
        self.report()

    def _update(self, **changes: object) -> None:
        self.now = self.now.model_copy(update=changes)
