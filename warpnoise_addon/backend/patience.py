"""Sockets that wait for one request with patience: a limit of silence, a deadline for the whole, and cancel noticed.

The standard library's timeout is that of one system call: a server that sends a byte now and then, or
``100 Continue`` for ever, is never late for it.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from collections.abc import Callable
from typing import Any

from ..errors import Cancelled

NOTICE_SECONDS = 0.2
"""How soon cancel is noticed."""
CONNECT_SECONDS = 10.0
_PIECE = 1 << 16


class Patience:
    """How long to wait: ``silence`` seconds without a byte, ``seconds`` from now in all."""

    def __init__(self, seconds: float, silence: float, cancelled: Callable[[], bool]) -> None:
        self.seconds, self.silence = seconds, silence
        self._cancelled = cancelled
        self._until = time.monotonic() + seconds

    def allow(self, seconds: float) -> None:
        """The whole may take so long from now."""
        self.seconds = seconds
        self._until = time.monotonic() + seconds

    def next_wait(self, silent_since: float) -> float:
        """Seconds to wait for the next byte before this is asked again.

        Raises:
            TimeoutError: it has been silent for too long, or the whole takes too long.
            Cancelled: ``cancelled()`` was true.
        """
        if self._cancelled():
            raise Cancelled("cancelled while the backend did not answer")
        now = time.monotonic()
        left = min(self._until, silent_since + self.silence) - now
        if left <= 0:
            raise TimeoutError
        return min(left, NOTICE_SECONDS)


class PatientConnection(http.client.HTTPConnection):
    """An HTTP connection whose reads and writes wait with ``patience``."""

    def __init__(self, host: str, port: int, patience: Patience) -> None:
        super().__init__(host, port, timeout=min(patience.silence, CONNECT_SECONDS))
        self._patience = patience

    def connect(self) -> None:
        super().connect()
        self.sock: Any = _PatientSocket(self.sock, self._patience)


class PatientTlsConnection(http.client.HTTPSConnection):
    """The same with TLS. ``context``: an `ssl.SSLContext`."""

    def __init__(self, host: str, port: int, patience: Patience, context: Any) -> None:
        super().__init__(host, port, timeout=min(patience.silence, CONNECT_SECONDS), context=context)
        self._patience = patience

    def connect(self) -> None:
        super().connect()
        self.sock: Any = _PatientSocket(self.sock, self._patience)


class _PatientSocket:
    """As much of a socket as `http.client` uses. It is closed once it and its file are, as the library's own."""

    def __init__(self, inner: socket.socket, patience: Patience) -> None:
        self._inner, self._patience = inner, patience
        self._file: _Incoming | None = None
        self._closed = False

    def sendall(self, data: bytes) -> None:
        left = memoryview(data).cast("B")
        while left:
            silent_since = time.monotonic()
            sent = 0
            while not sent:
                self._inner.settimeout(self._patience.next_wait(silent_since))
                try:
                    sent = self._inner.send(left[:_PIECE])
                except TimeoutError:
                    continue
            left = left[sent:]

    def makefile(self, mode: str) -> io.BufferedReader:
        self._file = _Incoming(self._inner, self._patience, self._end)
        return io.BufferedReader(self._file)

    def close(self) -> None:
        self._closed = True
        self._end()

    def _end(self) -> None:
        if self._closed and (self._file is None or self._file.closed):
            self._inner.close()


class _Incoming(io.RawIOBase):
    def __init__(self, inner: socket.socket, patience: Patience, ended: Callable[[], None]) -> None:
        super().__init__()
        self._inner, self._patience, self._ended = inner, patience, ended

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        silent_since = time.monotonic()
        while True:
            self._inner.settimeout(self._patience.next_wait(silent_since))
            try:
                return self._inner.recv_into(buffer)
            except TimeoutError:
                continue

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._ended()
