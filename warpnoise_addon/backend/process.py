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
                "the backend's program {argv} (from {source}) cannot be started: {reason}",
                argv=command.argv[0],
                source=command.source,
                reason=error.strerror,
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
                "the backend was not ready after {seconds:.0f} s and was stopped{last_words}",
                seconds=seconds,
                last_words=self._last_words(),
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
                "{program} (from {source}) has no backend: install it there with `{program} -m pip install "
                "'warpnoise[serve]'`, or choose another Python",
                program=program,
                source=self.command.source,
            )
        return BackendMissingError(
            "the backend {program} (from {source}) did not start: {ending}{words}",
            program=program,
            source=self.command.source,
            ending=self._child.ending,
            words=words,
        )

    def died(self) -> BackendDiedError:
        """The error that says how it ended. To be raised when ``alive`` is false."""
        self._child.wait()
        return BackendDiedError(
            "the backend ended in the middle: {ending}. Finished frames stay; run again to continue from "
            "there{last_words}",
            ending=self._child.ending,
            last_words=self._last_words(),
        )

    def _last_words(self) -> str:
        lines = [line.replace(self._token, "***") for line in self._child.tail if line.strip()]
        return ". Its last output:\n" + "\n".join(lines[-8:]) if lines else ""

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """End it: close its standard input, wait ``seconds``, kill it. Does nothing when it has ended."""
        self._child.stop(seconds)


def _parse_ready(line: str) -> Ready | None:
    try:
        answer = parse_json(line)
        return Ready(str(answer["warpnoise"]), answer.get("interface"), str(answer["host"]), int(answer["port"]))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
