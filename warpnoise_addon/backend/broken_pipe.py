"""Keeps a lost server from ending Blender with SIGPIPE.

Python's own programs ignore SIGPIPE, and so does Blender 5.2, but 4.3 does not. The disposition of a signal belongs to
Blender, not to an add-on. So the signal is blocked only in the one thread that writes, while it writes.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def broken_pipes_raise() -> Iterator[None]:
    """In this block, writing to what the other side has closed raises BrokenPipeError and sends no signal."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows has no such signal
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
    try:
        yield
    finally:
        # One that waits would be delivered as soon as it may be.
        if signal.SIGPIPE not in before and signal.SIGPIPE in signal.sigpending():
            signal.sigwait({signal.SIGPIPE})
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
