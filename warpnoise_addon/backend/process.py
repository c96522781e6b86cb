"""One running `warpnoise serve`: its start, the line that announces it, and its last output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..bounded_json import parse_json
from ..child import Child, TimedOut, never
from ..errors import BackendDiedError, BackendHungError, BackendMissingError
from ..messages import Message
from .locate import BackendCommand, backend_environment

START_SECONDS = 180.0
"""How long the first import of torch may take, from a cold network disk say. A process that dies is noticed at once."""
STOP_SECONDS = 3.0
"""How long a process may take to end by itself before it is killed. Its files appear whole or not at all."""


class BackendProcess(Child):
    """A backend that we started and that ends with us; whoever starts it stops it.

    Raises:
        BackendMissingError: the program cannot be started.
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
            BackendMissingError: it ended before it was ready, with what it said.
            BackendHungError: it was not ready in that time.
            Cancelled: ``cancelled()`` was true.
        """
        try:
            for line in self.lines(seconds, cancelled, cancel_text="cancelled while the backend started"):
                if ready := _parse_ready(line):
                    return ready
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


def _parse_ready(line: str) -> dict[str, Any] | None:
    try:
        ready = parse_json(line)
        return {"warpnoise": str(ready["warpnoise"]), "interface": ready.get("interface"), "host": str(ready["host"]),
                "port": int(ready["port"])}  # fmt: skip
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
