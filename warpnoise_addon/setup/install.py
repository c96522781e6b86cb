"""Runs a plan's commands one after the other and reports their output line by line. Called from any thread."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..backend.locate import tool_environment
from ..child import Child, TimedOut
from ..errors import BackendMissingError, Message
from .environments import Environments, remove
from .hardware import BUILDS
from .plan import Package, Plan, Step

SUPERVISE = Path(__file__).with_name("supervise.py")
END_SECONDS = 5.0
SILENCE_SECONDS = 1800.0
"""A step without output for this long is ended. Old versions of pip print nothing during a download."""
CANCELLED = "cancelled; what was half made is removed, and an environment that worked still does"
TAIL_LINES = 12
RAW_PROGRESS = (24, 1)
"""The first version of pip that reports progress in numbers."""

Tell = Callable[[str, str, "float | None"], None]
"""Called with a stage, a line of output, and the fraction of a download, 0 to 1; None if unknown."""


def install(plan: Plan, tell: Tell, cancelled: Callable[[], bool]) -> None:
    """Create the environment and compile the noise in it. If that fails, the environment is removed.

    Raises:
        BackendMissingError: a command failed; the message has its last lines and what to do.
        Cancelled: ``cancelled()`` was true. All child processes have ended.
    """
    try:
        _run_steps(plan, plan.steps, tell, cancelled)
    except BaseException:
        remove(plan.folder)
        raise


def update_plan(environments: Environments, package: Package, online: bool) -> Plan | None:
    """The plan that installs ``package`` into the current environment; None if there is none, or it is up to date."""
    current = environments.current
    if current is None or not package.digest or current.package == package.digest:
        return None
    folder = environments.path(current)
    plan = Plan("", folder, BUILDS.get(current.build, BUILDS["index"]), package, online=online)
    return replace(plan, python=str(plan.environment_python))


def update(plan: Plan, tell: Tell, cancelled: Callable[[], bool]) -> None:
    """Install the package into an existing environment and record it. After a failure the next attempt does all again.

    Raises:
        BackendMissingError, Cancelled: as `install`.
        SettingsError: current.json cannot be written.
    """
    _run_steps(plan, plan.update_steps, tell, cancelled)
    Environments(plan.folder.parent).make_current(plan.folder, plan.build.name, plan.package.digest)


def _run_steps(plan: Plan, steps: tuple[Step, ...], tell: Tell, cancelled: Callable[[], bool]) -> None:
    raw = False
    for step in steps:
        argv = step.argv
        if step.is_pip:
            raw = raw or _pip_version(plan, cancelled) >= RAW_PROGRESS
            argv = (*argv, "--progress-bar", "raw" if raw else "off")
        tell(step.stage, str(step), None)
        run_step(Step(step.stage, argv), plan.python, tell, cancelled)


def run_step(step: Step, python: str, tell: Tell, cancelled: Callable[[], bool]) -> None:
    """Run one command under `supervise`, which ``python`` runs."""
    environment = tool_environment() | {
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PIP_NO_COMPILE": "1",  # of thousands of modules; those that are used are compiled when they are
        "PYTHONUNBUFFERED": "1",
    }
    try:
        child = Child([python, "-I", str(SUPERVISE), *step.argv], environment, merge=True)
    except OSError as error:
        raise BackendMissingError(
            "{python} cannot be started: {reason}", python=python, reason=error.strerror
        ) from None
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    try:
        for line in child.lines(SILENCE_SECONDS, cancelled, each=True, cancel_text=CANCELLED):
            fraction = _fraction(line)
            if fraction is None and line.strip():
                tail.append(line)
            tell(step.stage, "" if fraction is not None else line, fraction)
        status = child.wait()
    except TimedOut:
        raise BackendMissingError(
            "`{step}` printed nothing for {minutes:.0f} min and was stopped. Check the network connection, then "
            "try again",
            step=step,
            minutes=SILENCE_SECONDS / 60,
        ) from None
    finally:
        child.stop(END_SECONDS)
    if status != 0:
        raise BackendMissingError(_failure(step, status, list(tail)))


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
        advice = Message("Choose another Python")
    elif step.stage == "warmup":
        advice = Message("The backend is installed, but does not work")
    elif re.search("NewConnectionError|NameResolutionError|Connection to .* timed out|Max retries|SSLError", said):
        advice = Message("The index was not reached: check the network connection, the proxy, or pip's configuration")
    elif "No matching distribution found for" in said and "--find-links" in step.argv:
        advice = Message("The folder of wheels lacks a package, or has it for another Python or system")
    elif "No matching distribution found for" in said and "--no-index" in step.argv:
        advice = Message("The update needs a package from the network. Allow online access, or press Set Up")
    elif "No matching distribution found for" in said:
        advice = Message(
            "There is no build for this Python. Choose another Python, such as 3.10 to 3.13, or another build"
        )
    elif "No space left" in said:
        advice = Message("The disk is full: free some space")
    else:
        advice = Message("Read its output, then try again")
    return Message(
        "The installation failed. {advice}. The end of its output:\n{said}\nThe command, which ended with status "
        "{status}: {step}",
        step=step,
        status=status,
        advice=advice,
        said=said,
    )
