"""A plan, done: one command after the other, their output a line at a time. Called from any thread."""

from __future__ import annotations

import contextlib
import os
import queue
import re
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from ..backend.locate import tool_environment
from ..errors import BackendMissingError, Cancelled
from .environments import remove
from .plan import DISTRIBUTION, Plan, Step

SUPERVISE = Path(__file__).with_name("supervise.py")
END_SECONDS = 5.0
TAIL_LINES = 12
RAW_PROGRESS = (24, 1)
"""The pip that can tell its progress in numbers."""

Tell = Callable[[str, str, "float | None"], None]
"""Called with a stage, a line of output, and how much of a download is there, 0 to 1 (None: not known)."""


def install(plan: Plan, tell: Tell, cancelled: Callable[[], bool]) -> None:
    """Make the environment. A half-made one is removed.

    Raises:
        BackendMissingError: a command failed, with its last words and what to do.
        Cancelled: ``cancelled()`` was true. What was started has ended.
    """
    try:
        raw = False
        for step in plan.steps:
            if step.stage != "venv":
                raw = raw or _pip_version(plan, cancelled) >= RAW_PROGRESS
            argv = (*step.argv, "--progress-bar", "raw" if raw else "off") if step.stage != "venv" else step.argv
            tell(step.stage, str(step), None)
            run_step(Step(step.stage, argv), plan.python, tell, cancelled)
    except BaseException:
        remove(plan.folder)
        raise


def run_step(step: Step, python: str, tell: Tell, cancelled: Callable[[], bool]) -> None:
    """One command; ``python`` runs the script that watches over it."""
    environment = tool_environment() | {
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PYTHONUNBUFFERED": "1",
    }
    try:
        process = subprocess.Popen(
            [python, "-I", str(SUPERVISE), *step.argv],
            stdin=subprocess.PIPE,  # closed when we end, whichever way: then it ends too
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            encoding="utf-8",
            errors="replace",
            start_new_session=os.name == "posix",
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as error:
        raise BackendMissingError(f"{python} cannot be started: {error.strerror}") from None
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(process, lines), name="warpnoise-setup", daemon=True)
    reader.start()
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    try:
        while True:
            if cancelled():
                raise Cancelled("cancelled; what was half made is removed, and an environment that worked still does")
            with contextlib.suppress(queue.Empty):
                line = lines.get(timeout=0.1)
                if line is None:
                    break
                fraction = _fraction(line)
                if fraction is None and line.strip():
                    tail.append(line)
                tell(step.stage, "" if fraction is not None else line, fraction)
        status = process.wait()
    finally:
        _end(process)
        reader.join(1.0)
    if status != 0:
        raise BackendMissingError(_failure(step, status, list(tail)))


def _read(process: subprocess.Popen[str], lines: queue.SimpleQueue[str | None]) -> None:
    with contextlib.suppress(OSError, ValueError), process.stdout:
        for line in process.stdout:
            lines.put(line.rstrip("\n"))
    lines.put(None)


def _end(process: subprocess.Popen[str]) -> None:
    """Closing its input ends it and what it started; killing the group is for one that hangs."""
    with contextlib.suppress(OSError):
        process.stdin.close()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(OSError):
            if os.name == "posix":
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)


def _fraction(line: str) -> float | None:
    match = re.fullmatch(r"Progress (\d+) of (\d+)", line.strip())
    return min(int(match[1]) / int(match[2]), 1.0) if match and int(match[2]) else None


def _pip_version(plan: Plan, cancelled: Callable[[], bool]) -> tuple[int, int]:
    said: list[str] = []
    asking = Step("package", (str(plan.environment_python), "-m", "pip", "--version"))
    run_step(asking, plan.python, lambda stage, line, fraction: said.append(line), cancelled)
    match = re.search(r"^pip (\d+)\.(\d+)", "\n".join(said), re.MULTILINE)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _failure(step: Step, status: int, tail: list[str]) -> str:
    said = "\n".join(tail)
    if step.stage == "venv":
        advice = "Name another Python"
    elif re.search("NewConnectionError|NameResolutionError|Connection to .* timed out|Max retries|SSLError", said):
        advice = "The index was not reached: look at the network connection, a proxy, or pip's configuration"
    elif "No matching distribution found for" in said and f"for {DISTRIBUTION}" in said:
        advice = (
            "The package is not in pip's index. Name its wheel, or the folder of its source, in the dialog "
            "(`make build` of the source makes the wheel)"
        )
    elif "No matching distribution found for" in said:
        advice = "There is no build for this Python. Name another Python, 3.10 to 3.13 say, or choose another build"
    elif "No space left" in said:
        advice = "The disk is full: free some space"
    else:
        advice = "Its last words"
    return f"`{step}` failed with status {status}. {advice}:\n{said}"
