"""Time limits of a request: for silence, and for the whole. Cancelling takes effect at once.

A timeout of the standard library is that of one system call. A server that sends a byte now and then, or ``100
Continue`` forever, never exceeds it. So a thread breaks connections that take too long.

It also keeps a lost server from ending Blender with SIGPIPE. Python's own programs ignore SIGPIPE, and so does Blender
5.2, but 4.3 does not. The disposition of a signal belongs to Blender, not to an add-on. So the signal is blocked only
in the one thread that writes, while it writes.
"""

from __future__ import annotations

import contextlib
import http.client
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator

from ..child import never
from ..errors import Cancelled

NOTICE_SECONDS = 0.1
"""How soon cancel is noticed."""
CONNECT_SECONDS = 10.0


class Patience:
    """``silence`` seconds without a byte, ``seconds`` from now in all."""

    def __init__(self, seconds: float, silence: float, cancelled: Callable[[], bool] = never) -> None:
        self.silence = silence
        self._cancelled = cancelled
        self._error: Exception | None = None
        self.allow(seconds)

    def allow(self, seconds: float) -> None:
        """The whole may take so long from now."""
        self.seconds = seconds
        self._until = time.monotonic() + seconds

    @contextlib.contextmanager
    def connected(self, connection: http.client.HTTPConnection) -> Iterator[None]:
        """Connect, and break the connection within this block when patience ends.

        Raises:
            TimeoutError: it has been silent for too long, or the whole takes too long.
            Cancelled: ``cancelled()`` was true.
        """
        connection.timeout = min(self.silence, CONNECT_SECONDS)
        connection.connect()
        sock = connection.sock  # http.client forgets it before the answer is read
        sock.settimeout(self.silence)
        over = threading.Event()
        watch = threading.Thread(target=self._watch, args=(sock, over), name="warpnoise-patience", daemon=True)
        watch.start()
        try:
            yield
        finally:
            over.set()
            watch.join()
            if self._error is not None:  # the cause of whatever the broken connection raised
                raise self._error

    def _watch(self, sock: socket.socket, over: threading.Event) -> None:
        while not over.wait(NOTICE_SECONDS):
            if self._cancelled():
                self._error = Cancelled("cancelled while the backend did not answer")
            elif time.monotonic() > self._until:
                self._error = TimeoutError()
            else:
                continue
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # not TLS's own, which is not made for two threads
            return


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
