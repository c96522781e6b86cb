"""A supervised child process: its output line by line, a time limit, cancelling. Imports no bpy.

The child's standard input is a pipe that only we hold. A child that ends when this pipe closes (the backend, the
export, pip under `setup/supervise.py`) ends with Blender, however Blender ends.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO

from .errors import Cancelled, Message

TAIL_LINES = 40
END_SECONDS = 5.0
"""How long the operating system may take to end a killed process."""


def never() -> bool:
    """The default of ``cancelled`` arguments."""
    return False


class TimedOut(Exception):
    """The child missed its deadline."""


class Child:
    """A running process. ``tail``: its last lines on standard error; ``merge`` sends these to standard output instead.

    It leads a separate process group: Ctrl-C in the terminal does not reach it, and `stop` ends its children, too.

    Raises OSError: the program cannot be started.
    """

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str] | None = None, merge: bool = False) -> None:
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._process = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merge else subprocess.PIPE,
            env=environment,
            encoding="utf-8",
            errors="replace",
            start_new_session=os.name == "posix",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
            | getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self._readers = [
            self._read(self._process.stdout, self._lines.put, lambda: self._lines.put(None)),
            self._read(self._process.stderr, self.tail.append),
        ]

    def _read(
        self, stream: IO[str] | None, take: Callable[[str], None], end: Callable[[], None] = lambda: None
    ) -> threading.Thread:
        def run() -> None:
            if stream is not None:
                with contextlib.suppress(OSError, ValueError), stream:
                    for line in stream:
                        take(line.rstrip("\n"))
            end()

        thread = threading.Thread(target=run, name="warpnoise-child", daemon=True)
        thread.start()
        return thread

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def lines(
        self,
        seconds: float,
        cancelled: Callable[[], bool] = never,
        *,
        each: bool = False,
        cancel_text: str = "cancelled",
    ) -> Iterator[str]:
        """Yield the lines of standard output until the child closes it.

        Args:
            seconds: the deadline, from now; with ``each``, from the line before.
            cancel_text: the message of Cancelled.

        Raises:
            TimedOut: the deadline has passed. The child goes on until `stop`.
            Cancelled: ``cancelled()`` was true. So does it then.
        """
        deadline = time.monotonic() + seconds
        while True:
            if cancelled():
                raise Cancelled(cancel_text)
            if time.monotonic() > deadline:
                raise TimedOut
            try:
                line = self._lines.get(timeout=0.1)
            except queue.Empty:
                continue
            if line is None:
                return
            if each:
                deadline = time.monotonic() + seconds
            yield line

    def close_input(self) -> None:
        """Close standard input, which a child that ends with us takes as its end."""
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()

    def send(self, line: str) -> None:
        """Write a line to standard input. Raises BrokenPipeError: the child has ended."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def wait(self) -> int:
        """The exit status of a child that has closed its output; a child that lingers is killed."""
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.stop()
        for reader in self._readers:
            reader.join(1.0)
        status = self._process.poll()
        return -int(signal.SIGTERM) if status is None else status

    def stop(self, grace: float = 0.0) -> None:
        """Close standard input, wait ``grace`` seconds, then kill the process group. No effect on an ended child."""
        self.close_input()
        try:
            self._process.wait(grace)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(OSError):
                if os.name == "posix":
                    os.killpg(self._process.pid, signal.SIGKILL)
                else:
                    self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_SECONDS)
        for reader in self._readers:
            reader.join(1.0)

    @property
    def ending(self) -> str:
        """How it ended, for a message."""
        status = self._process.poll()
        if status is None:
            return Message("it closed its output")
        if status >= 0:
            return Message("exit code {status}", status=status)
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = str(-status)
        if name == "SIGKILL":
            return Message("killed by {signal} (out of memory?)", signal=name)
        return Message("killed by {signal}", signal=name)


def ask(
    argv: Sequence[str],
    seconds: float,
    environment: Mapping[str, str] | None = None,
    cancelled: Callable[[], bool] = never,
    cancel_text: str = "cancelled",
) -> tuple[int, list[str], list[str]]:
    """Run a program to its end: exit status, lines of standard output, last lines of standard error.

    Raises:
        OSError: it cannot be started.
        TimedOut, Cancelled: as `Child.lines`. The program is killed.
    """
    child = Child(argv, environment)
    child.close_input()
    try:
        said = list(child.lines(seconds, cancelled, cancel_text=cancel_text))
        return child.wait(), said, list(child.tail)
    finally:
        child.stop()


def end_with_parent(status: int = 130, last: Callable[[], object] = lambda: None) -> None:
    """In a child: end this process when standard input closes, which is when the parent has ended.

    ``last``: called before, in another thread than the main one.
    """

    def wait() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        with contextlib.suppress(Exception):
            last()
        os._exit(status)

    threading.Thread(target=wait, name="warpnoise-parent", daemon=True).start()
