"""Ctrl-C and SIGTERM as a request to stop. The running job stops after the current step and finishes its files.

Farms send SIGTERM, and kill processes that still run some seconds later. So this module ends the process if a step
takes longer than GRACE_SECONDS. Files appear whole or not at all, so only that step is lost.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from warpnoise.errors import Cancelled

GRACE_SECONDS = 10.0
"""Between SIGTERM and the process's end, at most."""


class Interrupt:
    """Whether the user asked to stop; call it to ask."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._deadline: threading.Timer | None = None

    def __call__(self) -> bool:
        return self._asked.is_set()

    def handle(self, number: int, frame: FrameType | None) -> None:
        """The signal handler: the first signal asks, the second one ends what does not listen."""
        if self._asked.is_set():
            raise KeyboardInterrupt
        self._asked.set()
        if number == signal.SIGTERM:
            self._deadline = threading.Timer(GRACE_SECONDS, os._exit, (Cancelled.exit_status,))
            self._deadline.daemon = True
            self._deadline.start()
        print("\nstopping; press Ctrl-C again to stop at once", file=sys.stderr, flush=True)

    def close(self) -> None:
        """The job has ended by itself."""
        if self._deadline is not None:
            self._deadline.cancel()


@contextmanager
def interruptible() -> Iterator[Interrupt]:
    """Signals become an Interrupt inside; the handlers of before are put back."""
    interrupt = Interrupt()
    before = {number: signal.signal(number, interrupt.handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupt
    finally:
        interrupt.close()
        for number, handler in before.items():
            signal.signal(number, handler)
