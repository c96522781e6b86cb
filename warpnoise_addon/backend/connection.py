"""A Backend: a client of a process that we have started, or of one that someone else runs."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any, TypeVar

from ..child import never
from ..errors import BackendDiedError, BackendError, BackendHungError, Cancelled
from ..messages import Message
from .address import Address
from .answers import check
from .client import Client, Unreachable
from .locate import BackendCommand
from .process import START_SECONDS, STOP_SECONDS, BackendProcess
from .versions import check_versions

SILENCE_SECONDS = 10.0
"""A server that has not answered for this long counts as hung."""
OWN_SILENCE_SECONDS = 60.0
"""The same for our own process, whose end is noticed anyway: on a busy computer it may answer late."""
RETRY_SECONDS = 0.2

Answer = TypeVar("Answer")


class Backend:
    """A backend that fits this add-on. ``status`` is its last answer to `GET /v2/status`."""

    def __init__(
        self, client: Client, process: BackendProcess | None, silence_seconds: float = SILENCE_SECONDS
    ) -> None:
        self.client = client
        self.process = process
        self.status: dict[str, Any] = {}
        self._silence_seconds = silence_seconds

    @property
    def name(self) -> str:
        """For people: its version; that of a server with the server's name."""
        version = str(self.status.get("version", "?"))
        if self.process is not None:
            return version
        return Message("{version} on {host}", version=version, host=self.client.address.host)

    @property
    def takes_uploads(self) -> bool:
        """Job folders are sent to it; otherwise it reads and writes them itself, on this machine."""
        return bool(self.status.get("uploads"))

    @property
    def alive(self) -> bool:
        """False: its process has ended. One that we did not start is asked instead."""
        if self.process is not None:
            return self.process.alive
        try:
            self.client.call("GET", "status")
        except (Unreachable, BackendError):
            return False
        return True

    def call(self, method: str, *parts: str, cancelled: Callable[[], bool] = never, **options: Any) -> dict[str, Any]:
        """The answer of one call, see `Client.call`. Raises as `ask`."""
        return self.ask(lambda: self.client.call(method, *parts, cancelled=cancelled, **options), cancelled=cancelled)

    def ask(
        self,
        call: Callable[[], Answer],
        silence_seconds: float | None = None,
        cancelled: Callable[[], bool] = never,
    ) -> Answer:
        """Make one call of the client, and try again while it is silent.

        Raises:
            BackendDiedError: the process has ended, or nobody listens at the address any more.
            BackendHungError: no answer for ``silence_seconds`` (or this backend's own) though it is there.
            Cancelled: ``cancelled()`` was true before it had answered.
            JobError, BackendError: what it answered.
        """
        limit = self._silence_seconds if silence_seconds is None else silence_seconds
        silent_since = time.monotonic()
        while True:
            try:
                return call()
            except Unreachable as error:
                silent = time.monotonic() - silent_since + RETRY_SECONDS
                if self.process is None and (error.refused or silent >= limit):
                    raise BackendDiedError(
                        "nobody answers at {address} ({error}): start the backend with `warpnoise serve`, or "
                        "change the preferences",
                        address=self.client.address,
                        error=error,
                    ) from None
                time.sleep(RETRY_SECONDS)  # the kernel closes the sockets a moment before the process is gone
            except BackendHungError:
                pass
            if self.process is not None and not self.process.alive:
                raise self.process.died()
            if cancelled():
                raise Cancelled("cancelled while the backend did not answer")
            silent = time.monotonic() - silent_since
            if silent >= limit:
                which = Message("process {pid}", pid=self.process.pid) if self.process else self.client.address
                raise BackendHungError(
                    "the backend ({which}) has not answered for {silent:.0f} s: it hangs. Finished frames stay; run "
                    "again to start a new backend and continue from there",
                    which=which,
                    silent=silent,
                )

    def refresh_status(
        self,
        update_hint: str = "`pip install --upgrade 'warpnoise[serve]'`",
        seconds: float | None = None,
        cancelled: Callable[[], bool] = never,
    ) -> dict[str, Any]:
        """Ask for the status, compare the versions and keep it. The first answer imports torch, which may take long."""
        status = self.ask(lambda: self.client.call("GET", "status", cancelled=cancelled), seconds, cancelled)
        check_versions(status, update_hint)
        check("status", status)
        self.status = status
        return status

    def close(self) -> None:
        """End the process, where it is ours."""
        if self.process is not None:
            self.process.stop(STOP_SECONDS)


def start_backend(
    command: BackendCommand,
    *,
    seconds: float = START_SECONDS,
    silence_seconds: float = OWN_SILENCE_SECONDS,
    cancelled: Callable[[], bool] = never,
) -> Backend:
    """Start `warpnoise serve`, wait until it is ready, and compare versions. The token is new and known to us two only.

    Raises:
        BackendMissingError: it cannot be started, or ended at once.
        BackendVersionError: too old or too new.
        BackendHungError: not ready in time.
        Cancelled: ``cancelled()`` was true meanwhile.
    """
    token = secrets.token_urlsafe(32)
    process = BackendProcess(command, token)
    try:
        ready = process.wait_ready(seconds, cancelled)
        check_versions(ready, command.update_hint)
        backend = Backend(Client(Address(ready["host"], ready["port"]), token), process, silence_seconds)
        backend.refresh_status(command.update_hint, seconds, cancelled)
    except BaseException:
        process.stop(STOP_SECONDS)
        raise
    return backend


def connect_backend(
    url: str,
    token: str,
    silence_seconds: float = SILENCE_SECONDS,
    cancelled: Callable[[], bool] = never,
) -> Backend:
    """The backend that somebody started by hand at ``url``, with its token.

    Raises:
        SettingsError: not a URL.
        BackendError: nobody answers, the token is wrong, the versions do not fit, or it is on another machine and
            takes no uploads.
        Cancelled: ``cancelled()`` was true meanwhile.
    """
    backend = Backend(Client(Address.parse(url), token), None, silence_seconds)
    backend.refresh_status(cancelled=cancelled)
    if not backend.takes_uploads and not backend.client.address.loopback:
        raise BackendError(
            "the backend at {address} takes no uploads, and it cannot see this machine's folders: "
            "start it with `warpnoise serve --uploads FOLDER`",
            address=backend.client.address,
        )
    return backend
