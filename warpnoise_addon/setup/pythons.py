"""Finds a Python that can create environments."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from ..backend.locate import tool_environment
from ..bounded_json import parse_json
from ..child import TimedOut, ask
from ..errors import BackendMissingError
from ..messages import Message

OLDEST = (3, 10)
NAMES = ("python3", "python", "python3.13", "python3.12", "python3.11", "python3.10")
ASK_SECONDS = 20.0
_SCRIPT = (
    "import json, sys, importlib.util as u; "
    "print(json.dumps([list(sys.version_info[:3]), all(u.find_spec(m) for m in ('venv', 'ensurepip'))]))"
)


@dataclass(frozen=True)
class Python:
    """``complete``: it has `venv` and `ensurepip`, which some distributions package separately."""

    path: str
    version: tuple[int, int, int]
    complete: bool

    @property
    def trouble(self) -> str:
        """Why it cannot create an environment; "" if it can."""
        if self.version[:2] < OLDEST:
            return Message(
                "it is Python {version}, and {oldest} or newer is needed",
                version=".".join(map(str, self.version)),
                oldest=".".join(map(str, OLDEST)),
            )
        if not self.complete:
            return Message("it lacks `venv` or `ensurepip` (on Debian and Ubuntu: `apt install python3-venv`)")
        return ""


def find_python(chosen: str = "") -> Python:
    """``chosen``, or else the first of Blender's Python and those on the PATH that can create an environment.

    Raises:
        BackendMissingError: there is none. The message lists each candidate and its problem.
    """
    troubles = []
    for path in [chosen] if chosen else _candidates():
        python = ask_python(path)
        trouble = python.trouble if python is not None else "it is no Python that can be run"
        if python is not None and not trouble:
            return python
        troubles.append(f"{path}: {trouble}")
    found = "\n".join(troubles) or "nothing is on the PATH"
    raise BackendMissingError(
        "no Python on this computer can create an environment. Install Python {oldest} or newer from "
        "python.org or your system's packages, or enter one here:\n{found}",
        oldest=".".join(map(str, OLDEST)),
        found=found,
    )


def ask_python(path: str) -> Python | None:
    """Run the program at ``path`` and read its version; None if it is no Python."""
    try:
        _, said, _ = ask([path, "-I", "-c", _SCRIPT], ASK_SECONDS, tool_environment())
        version, complete = parse_json(said[-1])
        return Python(path, (int(version[0]), int(version[1]), int(version[2])), bool(complete))
    except (OSError, ValueError, TypeError, IndexError, TimedOut):
        return None


def _candidates() -> Iterator[str]:
    seen = set()
    for path in (sys.executable, *map(shutil.which, NAMES)):
        if path and path not in seen:
            seen.add(path)
            yield path
