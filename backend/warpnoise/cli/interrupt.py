"""Ctrl-C and SIGTERM as a wish to stop: the running job notices it within a step and finishes its files."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from warpnoise.errors import Cancelled


class Interrupt:
    """Whether the user asked to stop; call it to ask."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    def __call__(self) -> bool:
        return self._asked.is_set()

    def handle(self, number: int, frame: FrameType | None) -> None:
        """The signal handler: the first signal asks, the second one ends what does not listen."""
        if self._asked.is_set():
            raise KeyboardInterrupt
        self._asked.set()
        print("\nstopping; press Ctrl-C again to stop at once", file=sys.stderr, flush=True)

    def check(self) -> None:
        """Raise Cancelled if the user asked to stop."""
        if self():
            raise Cancelled("cancelled: what was finished stays, the same command goes on from there")


@contextmanager
def interruptible() -> Iterator[Interrupt]:
    """Signals become an Interrupt inside; the handlers of before are put back."""
    interrupt = Interrupt()
    before = {number: signal.signal(number, interrupt.handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
