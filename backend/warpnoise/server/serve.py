"""The process: its socket, its announcement, its signals and its end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

import warpnoise
from warpnoise.errors import ServerError
from warpnoise.server import INTERFACE
from warpnoise.server.app import create_app
from warpnoise.server.downloads import Downloads
from warpnoise.server.jobs import JobQueue
from warpnoise.server.model_calls import model_calls
from warpnoise.server.schema import UploadLimits
from warpnoise.server.serve_options import ServeOptions
from warpnoise.server.tokens import TOKEN_VARIABLE, find_token
from warpnoise.server.uploads import Uploads

log = logging.getLogger("warpnoise.server")

GRACE_SECONDS = 20.0
"""How long a running job may take to notice that it was cancelled, before the process ends without it. Every file is
written beside and renamed, so nothing half written is left under its name."""

CLEANING_SECONDS = 600.0
"""The interval between two searches for old uploads."""


def serve(options: ServeOptions) -> None:
    """Serve until it is asked to stop: by the shutdown call, SIGINT, SIGTERM, or the end of standard input.

    Running jobs are cancelled then. A job that does not stop within GRACE_SECONDS is left, and the process with it.

    Raises:
        ServerError: the token cannot be read or created, or the server cannot listen on the address.
    """
    token, token_path = find_token(options.token_file)
    listener = listen(options.host, options.port)
    host, port = listener.getsockname()[:2]
    if not is_loopback(listener):
        log.warning(
            "listening on %s, which other machines can reach: the token and all data travel unencrypted; "
            "an SSH tunnel to the loopback address, or a reverse proxy with TLS, is safer",
            host,
        )

    # Imported after the socket is bound, because the imports are slow.
    from warpnoise.server.named_models import status
    from warpnoise.server.stylize_work import KEPT_MODEL, check, prepare

    status()  # loads what answering needs, so that "ready" means it
    own = options.uploads is None
    KEPT_MODEL.idle_seconds = 60 * options.keep_model
    downloads = Downloads()
    models = model_calls(
        downloads, KEPT_MODEL.free, partial(check, only_named=not own), allowed=options.downloads or own, own=own
    )
    queue = JobQueue(partial(prepare, only_named=not own))
    uploads = None
    if options.uploads is not None:
        total = None if options.uploads_size is None else round(options.uploads_size * 1e9)
        uploads = Uploads(options.uploads, UploadLimits(days=options.uploads_days, total=total), queue.busy)
        threading.Thread(target=_delete_old, args=(uploads,), name="warpnoise-uploads", daemon=True).start()
    app = create_app(queue, token, status, lambda: server.stop("asked by a client"), uploads, [models])
    server = _Server(
        uvicorn.Config(
            app,
            http=limited_protocol(),
            ws="none",
            log_config=None,
            log_level="error",  # strangers' requests that are no HTTP would fill the log
            access_log=False,
            timeout_graceful_shutdown=3,
        ),
        ready=lambda: _say_ready(options.announce, host, port, token_path),
    )
    if options.exit_with_parent:
        threading.Thread(target=_wait_for_parent, args=(server,), name="warpnoise-parent", daemon=True).start()
    try:
        server.run(sockets=[listener])
    finally:
        listener.close()
        downloads.cancel_all()
        ended = queue.close(GRACE_SECONDS)
        if uploads is not None:
            uploads.close()
    if not ended:
        # Python would wait for, or abort in, a thread that sits in a kernel; the operating system ends both cleanly.
        log.warning("a job did not stop within %.0f s; ending without it", GRACE_SECONDS)
        logging.shutdown()
        os._exit(0)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        try:
            self._ready()
        except BrokenPipeError:
            self.stop("nobody reads the announcement")

    def stop(self, why: str) -> None:
        if not self.should_exit:
            log.info("stopping: %s", why)
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals end the server as a shutdown call does; uvicorn's own would raise them again afterwards."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:  # the second time: now
            os._exit(128 + sig)
        self.stop(signal.Signals(sig).name)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. It is bound before anything slow is loaded, so that a taken port is reported at once.

    Raises:
        ServerError: the address is taken, not allowed, or not one of this machine's.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (socket.gaierror, UnicodeError, OverflowError) as error:
        raise ServerError(f"Cannot listen on {host}, port {port}: {error}.") from None
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # a port that was served on a moment ago; on Windows the option would steal a live one
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ServerError(
                f"Port {port} on {host} is in use, perhaps by another `warpnoise serve`. "
                "Stop that one, choose another --port, or --port 0 for any free one."
            ) from None
        raise ServerError(f"Cannot listen on {host}, port {port}: {error.strerror}.") from None
    return listener


def is_loopback(listener: socket.socket) -> bool:
    """Whether only this machine can reach a listening socket."""
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback


def _say_ready(announce: bool, host: str, port: int, token_path: Path | None) -> None:
    if announce:
        line = {"warpnoise": warpnoise.__version__, "interface": INTERFACE, "host": host, "port": port}
        print(json.dumps(line), flush=True)
        return
    shown = f"[{host}]" if ":" in host else host
    source = f"in {token_path}" if token_path else f"from {TOKEN_VARIABLE}"
    print(f"warpnoise {warpnoise.__version__} listens on http://{shown}:{port}, token {source}", flush=True)


def _delete_old(uploads: Uploads) -> None:
    while True:
        time.sleep(CLEANING_SECONDS)
        uploads.delete_old()


def _wait_for_parent(server: _Server) -> None:
    """Read standard input to its end. Not through sys.stdin: its lock, held by this thread, would abort the exit."""
    with contextlib.suppress(OSError):
        while os.read(sys.stdin.fileno(), 4096):
            pass
    server.stop("standard input was closed")


MOST_CONNECTIONS = 128
"""Far below the usual limit of 1024 open files, which the jobs share."""
HEAD_SECONDS = 10.0
"""How long the head of a request may take, counted from the connection or from the answer before."""


def limited_protocol(most: int = MOST_CONNECTIONS, head_seconds: float = HEAD_SECONDS) -> type[H11Protocol]:
    """uvicorn's protocol of HTTP with limits on connections, before anybody has shown the token.

    A client that connects and stays silent holds a file descriptor of the server; a thousand of them would lock out
    everybody else. So the head of a request, of at most 64 KiB (h11's limit), must arrive in time, and of too many
    connections the one that has waited longest without a head makes room for the new one.
    """
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
