"""Limits on connections that have not shown the token yet.

A client that connects and stays silent occupies a file descriptor of the server, and a thousand of them would lock out
everyone else. So the head of a request must arrive in time. If there are too many connections, the one that has waited
longest without a head is closed.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS = 128
"""Far below the usual limit of 1024 open files, which the jobs share."""
HEAD_SECONDS = 10.0
"""How long the head of a request may take, counted from the connection or from the answer before."""


def limited_protocol(most: int = MOST_CONNECTIONS, head_seconds: float = HEAD_SECONDS) -> type[H11Protocol]:
    """uvicorn's protocol of HTTP with these limits. A head has at most 64 KiB (h11's limit)."""
    waiting: dict[LimitedProtocol, None] = {}  # in the order of waiting

    class LimitedProtocol(H11Protocol):
        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._wait_for_head()
            if len(self.connections) > most:
                next(iter(waiting))._drop()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.cycle is not None and not self.cycle.response_complete:
                self._stop_waiting()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self.cycle.response_complete and not self.transport.is_closing():
                self._wait_for_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def _wait_for_head(self) -> None:
            self._stop_waiting()
            waiting[self] = None
            self._deadline = self.loop.call_later(head_seconds, self._drop)

        def _stop_waiting(self) -> None:
            waiting.pop(self, None)
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _drop(self) -> None:
            self._stop_waiting()
            self.connections.discard(self)
            self.transport.abort()

    return LimitedProtocol
