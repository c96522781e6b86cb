"""How far a job is, for whoever waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

Stage = Literal["loading", "stylizing", "encoding", "finished"]


@dataclass(frozen=True)
class Progress:
    """A job at one moment.

    ``frames_done`` counts frames whose file is written, ``frames_kept`` those of them that an earlier run had made.
    ``step`` of ``steps_total`` denoising steps are done of the frames that are worked on now. ``seconds_left`` is None
    until it can be told, ``newest_frame`` is the number of the frame written last, ``warnings`` are whole sentences.
    """

    stage: Stage
    frames_total: int
    frames_done: int = 0
    frames_kept: int = 0
    step: int = 0
    steps_total: int = 0
    seconds_left: float | None = None
    newest_frame: int | None = None
    warnings: tuple[str, ...] = ()


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

    def report(self, stage: Stage | None = None) -> None:
        done, newest = self._written
        self.now = replace(
            self.now,
            stage=stage or self.now.stage,
            frames_done=done,
            newest_frame=newest,
            warnings=self._warnings,
        )
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
        self.now = replace(self.now, step=step, steps_total=steps, seconds_left=seconds_left)
        self.report()
