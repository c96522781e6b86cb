"""One running `warpnoise serve`: its start, the line that says that it is ready, its last words, its end."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

from ..errors import BackendDiedError, BackendHungError, BackendMissingError, Cancelled
from .locate import BackendCommand, backend_environment

START_SECONDS = 180.0
"""How long the first import of torch may take, from a cold network disk say. A process that dies is noticed at once."""
STOP_SECONDS = 3.0
"""How long a process may take to end by itself before it is killed. Its files appear whole or not at all."""
TAIL_LINES = 40


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
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        argv = [*command.argv, "serve", "--announce", "--exit-with-parent", "--port", "0"]
        try:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=backend_environment(token),
                encoding="utf-8",
                errors="replace",
                # Ctrl-C in the terminal is for us to handle: we cancel the job and then end the backend.
                start_new_session=os.name == "posix",
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
                | getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            raise BackendMissingError(
                f"the backend's program {command.argv[0]} (from {command.source}) cannot be started: {error.strerror}"
            ) from None
        self._readers = [
            self._read(self._process.stdout, self._lines.put, "stdout"),
            self._read(self._process.stderr, self._tail.append, "stderr"),
        ]

    def _read(self, stream: IO[str], take: Callable[[str], Any], name: str) -> threading.Thread:
        def run() -> None:
            with contextlib.suppress(OSError, ValueError):
                for line in stream:
                    take(line.rstrip("\n"))
            if name == "stdout":
                take(None)  # type: ignore[arg-type]

        thread = threading.Thread(target=run, name=f"warpnoise-backend-{name}", daemon=True)
        thread.start()
        return thread

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def wait_ready(self, seconds: float = START_SECONDS, cancelled: Callable[[], bool] = lambda: False) -> Ready:
        """Wait for the ready line; any other line on standard output is somebody's chatter and skipped.

        Raises:
            BackendMissingError: it ended before it was ready, with what it said.
            BackendHungError: it was not ready in that time. It is ended.
            Cancelled: ``cancelled()`` was true. It is ended.
        """
        deadline = time.monotonic() + seconds
        while True:
            if cancelled():
                self.stop()
                raise Cancelled("cancelled while the backend started")
            try:
                line = self._lines.get(timeout=0.1)
            except queue.Empty:
                if time.monotonic() > deadline:
                    self.stop()
                    raise BackendHungError(
                        f"the backend was not ready after {seconds:.0f} s and was ended{self._last_words()}"
                    ) from None
                continue
            if line is None:
                raise self._did_not_start()
            ready = _parse_ready(line)
            if ready:
                return ready

    def _did_not_start(self) -> BackendMissingError:
        self._end_of_output()
        words = self._last_words()
        program = self.command.argv[0]
        if "No module named" in words and "warpnoise" in words:
            return BackendMissingError(
                f"{program} (from {self.command.source}) has no backend: install it there with "
                f"`{program} -m pip install warpnoise`, or name another Python"
            )
        return BackendMissingError(
            f"the backend {program} (from {self.command.source}) did not start: {self._ending()}{words}"
        )

    def died(self) -> BackendDiedError:
        """The error that says how it ended. To be raised when ``alive`` is false."""
        self._end_of_output()
        return BackendDiedError(
            f"the backend ended in the middle: {self._ending()}. Finished frames stay; running again goes on from there"
            f"{self._last_words()}"
        )

    def _end_of_output(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(2.0)
        for reader in self._readers:
            reader.join(1.0)

    def _ending(self) -> str:
        code = self._process.poll()
        if code is None:
            return "it closed its output"
        if code < 0:
            try:
                name = signal.Signals(-code).name
            except ValueError:
                name = str(-code)
            hint = " (out of memory?)" if name == "SIGKILL" else ""
            return f"killed by {name}{hint}"
        return f"exit code {code}"

    def _last_words(self) -> str:
        lines = [line.replace(self._token, "***") for line in self._tail if line.strip()]
        return ". Its last words:\n" + "\n".join(lines[-8:]) if lines else ""

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """End it: close its standard input, wait ``seconds``, kill it. Does nothing when it has ended."""
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
        for reader in self._readers:
            reader.join(1.0)
        for stream in (self._process.stdout, self._process.stderr):
            if not any(reader.is_alive() for reader in self._readers):
                stream.close()


def _parse_ready(line: str) -> Ready | None:
    try:
        answer = json.loads(line)
        return Ready(str(answer["warpnoise"]), answer.get("interface"), str(answer["host"]), int(answer["port"]))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
