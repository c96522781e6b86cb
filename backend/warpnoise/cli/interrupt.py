"""Ctrl-C and SIGTERM as a request to stop. The running job stops after the current step and finishes its files.

Farms send SIGTERM, and kill processes that still run some seconds later. So this module ends the process if a step
takes longer than GRACE_SECONDS. Files appear whole or not at all, so only that step is lost.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from warpnoise.errors import Cancelled

GRACE_SECONDS = 10.0
"""Between SIGTERM and the process's end, at most."""


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Yields a function: whether the user asked to stop. The first signal asks, and the second one ends what does not
    listen. The handlers of before are put back."""
    asked = threading.Event()
    deadline = threading.Timer(GRACE_SECONDS, os._exit, (Cancelled.exit_status,))
    deadline.daemon = True

    def handle(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        if number == signal.SIGTERM:
            deadline.start()
        print("\nstopping; press Ctrl-C again to stop at once", file=sys.stderr, flush=True)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        deadline.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)
