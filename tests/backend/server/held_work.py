"""Work for the queue that a test holds in its hands."""

from __future__ import annotations

import threading
from collections.abc import Callable

from warpnoise.errors import Cancelled
from warpnoise.progress import Progress


class HeldWork:
    """Work that goes on only when the test says so: ``step()`` lets it do one step, ``finish()`` lets it end."""

    frames_total = 4
    result = "ink-0"

    def __init__(self, name: str) -> None:
        self.name = name
        self.error: Exception | None = None
        self.started = threading.Event()
        self._steps = threading.Semaphore(0)
        self._over = threading.Event()

    def step(self) -> None:
        self._steps.release()

    def finish(self, error: Exception | None = None) -> None:
        self.error = error
        self._over.set()
        self._steps.release()

    def run(self, report: Callable[[Progress], None], cancelled: Callable[[], bool]) -> None:
        self.started.set()
        now = Progress(stage="stylizing", frames_total=self.frames_total, steps_total=10, result=self.result)
        report(now)
        done = 0
        while not self._over.is_set():
            if cancelled():
                raise Cancelled("cancelled")
            if self._steps.acquire(timeout=0.01) and not self._over.is_set():
                done += 1
                step = {"step": done, "frames_done": done, "newest_frame": done, "seconds_left": 10.0 - done}
                report(now.model_copy(update=step))
        if self.error:
            raise self.error
