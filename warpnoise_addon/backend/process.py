"""One running `warpnoise serve`: its start, the line that says that it is ready, its last words, its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..bounded_json import parse_json
from ..child import Child, TimedOut, never
from ..errors import BackendDiedError, BackendHungError, BackendMissingError, Cancelled
from .locate import BackendCommand, backend_environment

START_SECONDS = 180.0
"""How long the first import of torch may take, from a cold network disk say. A process that dies is noticed at once."""
STOP_SECONDS = 3.0
"""How long a process may take to end by itself before it is killed. Its files appear whole or not at all."""


@dataclass(frozen=True)
class Ready:
    """The line that the backend announces itself with."""

    version: str
    interface: object
    host: str
    port: int


class BackendProcess:
    """A backend that we started. It ends with us: its standard input is a pipe that only we hold."""

    def __init__(self, command: BackendCommand, token: str) -> None:
        """Start it and return at once.

        Raises:
            BackendMissingError: the program cannot be started.
        """
        self.command = command
        self._token = token
        argv = [*command.argv, "serve", "--announce", "--exit-with-parent", "--port", "0"]
        try:
            self._child = Child(argv, backend_environment(token))
        except OSError as error:
            raise BackendMissingError(
                f"the backend's program {command.argv[0]} (from {command.source}) cannot be started: {error.strerror}"
            ) from None

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def alive(self) -> bool:
        return self._child.alive

    def wait_ready(self, seconds: float = START_SECONDS, cancelled: Callable[[], bool] = never) -> Ready:
        """Wait for the ready line; any other line on standard output is somebody's chatter and skipped.

        Raises:
            BackendMissingError: it ended before it was ready, with what it said.
            BackendHungError: it was not ready in that time. It is ended.
            Cancelled: ``cancelled()`` was true. It is ended.
        """
        try:
            for line in self._child.lines(seconds, cancelled, cancel_text="cancelled while the backend started"):
                if ready := _parse_ready(line):
                    return ready
        except TimedOut:
            self.stop()
            raise BackendHungError(
                f"the backend was not ready after {seconds:.0f} s and was ended{self._last_words()}"
            ) from None
        except Cancelled:
            self.stop()
            raise
        raise self._did_not_start()

    def _did_not_start(self) -> BackendMissingError:
        self._child.wait()
        words = self._last_words()
        program = self.command.argv[0]
        if "No module named" in words and "warpnoise" in words:
            return BackendMissingError(
                f"{program} (from {self.command.source}) has no backend: install it there with "
                f"`{program} -m pip install 'warpnoise[serve]'`, or name another Python"
            )
        return BackendMissingError(
            f"the backend {program} (from {self.command.source}) did not start: {self._child.ending}{words}"
        )

    def died(self) -> BackendDiedError:
        """The error that says how it ended. To be raised when ``alive`` is false."""
        self._child.wait()
        return BackendDiedError(
            f"the backend ended in the middle: {self._child.ending}. Finished frames stay; running again goes on from "
            f"there{self._last_words()}"
        )

    def _last_words(self) -> str:
        lines = [line.replace(self._token, "***") for line in self._child.tail if line.strip()]
        return ". Its last words:\n" + "\n".join(lines[-8:]) if lines else ""

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """End it: close its standard input, wait ``seconds``, kill it. Does nothing when it has ended."""
        self._child.stop(seconds)


def _parse_ready(line: str) -> Ready | None:
    try:
        answer = parse_json(line)
        return Ready(str(answer["warpnoise"]), answer.get("interface"), str(answer["host"]), int(answer["port"]))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
