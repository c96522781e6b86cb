"""A Backend: a client of a `warpnoise serve` that we have started, or of one that someone else runs."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable
from typing import Any, TypeVar

from ..bounded_json import parse_json
from ..child import Child, TimedOut, never
from ..errors import BackendDiedError, BackendError, BackendHungError, BackendMissingError, Cancelled, Message
from .answers import check, check_versions
from .client import Client, Unreachable
from .locate import Address, BackendCommand, backend_environment

START_SECONDS = 180.0
"""How long the first import of torch may take, from a cold network disk say. A process that dies is noticed at once."""
STOP_SECONDS = 3.0
"""How long a process may take to end by itself before it is killed. Its files appear whole or not at all."""


class BackendProcess(Child):
    """A backend that we started and that ends with us; whoever starts it stops it.

    Raises BackendMissingError: the program cannot be started.
    """

    def __init__(self, command: BackendCommand, token: str) -> None:
        self.command = command
        self._token = token
        argv = [*command.argv, "serve", "--announce", "--exit-with-parent", "--port", "0"]
        try:
            super().__init__(argv, backend_environment(token))
        except OSError as error:
            raise BackendMissingError(
                "the backend's program {argv} (from {source}) cannot be started: {reason}",
                argv=command.argv[0],
                source=command.source,
                reason=error.strerror,
            ) from None

    def wait_ready(self, seconds: float = START_SECONDS, cancelled: Callable[[], bool] = never) -> dict[str, Any]:
        """The line that it announces itself with; any other line on standard output is somebody's chatter and skipped.

        Raises:
            BackendMissingError: it ended before it was ready. The message quotes its output.
            BackendHungError: it was not ready in that time.
            Cancelled: ``cancelled()`` was true.
        """
        try:
            for line in self.lines(seconds, cancelled, cancel_text="cancelled while the backend started"):
                with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
                    ready = parse_json(line)
                    return {
                        "warpnoise": str(ready["warpnoise"]),
                        "interface": ready.get("interface"),
                        "host": str(ready["host"]),
                        "port": int(ready["port"]),
                    }
        except TimedOut:
            raise BackendHungError(
                "the backend was not ready after {seconds:.0f} s and was stopped{last_words}",
                seconds=seconds,
                last_words=self._last_words(),
            ) from None
        self.wait()
        words, program, source = self._last_words(), self.command.argv[0], self.command.source
        if "No module named" in words and "warpnoise" in words:
            raise BackendMissingError(
                "{program} (from {source}) has no backend: press Set Up, install it there with `{program} -m "
                "pip install 'warpnoise[serve]'`, or choose another Python",
                program=program,
                source=source,
            )
        raise BackendMissingError(
            "the backend {program} (from {source}) did not start: {ending}. Press Set Up to install it again, or "
            "choose another Python{words}",
            program=program,
            source=source,
            ending=self.ending,
            words=words,
        )

    def died(self) -> BackendDiedError:
        """The error that says how it ended. To be raised when ``alive`` is false."""
        self.wait()
        return BackendDiedError(
            "the backend ended in the middle: {ending}. Finished frames stay; run again to continue from "
            "there{last_words}",
            ending=self.ending,
            last_words=self._last_words(),
        )

    def _last_words(self) -> str:
        lines = [line.replace(self._token, "***") for line in self.tail if line.strip()]
        return Message(". Its last output:\n{said}", said="\n".join(lines[-8:])) if lines else ""


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
            BackendDiedError: the process has ended, or no longer listens at the address.
            BackendHungError: no answer for ``silence_seconds`` (or this backend's own) though it is there.
            Cancelled: ``cancelled()`` was true before it had answered.
            JobError, BackendError: the error that it answered with.
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
        BackendError: there is no answer, the token is wrong, the versions do not fit, or it is on another machine and
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
