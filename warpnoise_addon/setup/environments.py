"""The environments that Set Up created, each in its own folder, and the Pythons that can create one.

    FOLDER/current.json        which environment is current, and its contents
    FOLDER/<id>/               an environment

A new environment is created beside the current one and replaces it after a successful check. A set-up that fails or is
cancelled leaves the current environment in place.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ..atomic import atomic_write
from ..backend.locate import tool_environment
from ..bounded_json import parse_json, read_json
from ..child import TimedOut, ask
from ..errors import BackendMissingError, Message, SettingsError, writing

ABANDONED_SECONDS = 86400.0
"""Unfinished environments younger than this are kept: another Blender may be creating one."""
FINISHED = "finished"
_ID = re.compile(r"\d{8}-[0-9a-f]{8}")


@dataclass(frozen=True)
class Environment:
    """An environment that Set Up has made. ``made``: seconds since the epoch. ``package``: the digest of its backend's
    wheel.
    """

    id: str
    build: str
    package: str
    made: float


class Environments:
    """The environments in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / "current.json"

    def path(self, environment: Environment) -> Path:
        return self.folder / environment.id

    @property
    def current(self) -> Environment | None:
        """The current environment, which may be broken; None if no set-up has finished."""
        try:
            content = read_json(self._file)
            environment = Environment(
                str(content["id"]), str(content["build"]), str(content.get("package", "")), float(content["made"])
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return environment if _ID.fullmatch(environment.id) and self.path(environment).is_dir() else None

    def new(self) -> Path:
        """The path for a new environment. Raises SettingsError if the folder cannot be created."""
        with writing(self.folder, SettingsError):
            self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / f"{time.strftime('%Y%m%d')}-{secrets.token_hex(4)}"

    def make_current(self, path: Path, build: str, package: str) -> None:
        """Make ``path`` the current environment, remove the others. Raises SettingsError if that cannot be recorded."""
        with writing(self._file, SettingsError):
            (path / FINISHED).touch()
            atomic_write(self._file, json.dumps(asdict(Environment(path.name, build, package, time.time()))))
        self.clean_up()

    def clean_up(self) -> None:
        """Remove environments that are neither current nor being created."""
        current = self.current
        with contextlib.suppress(OSError):
            for path in list(self.folder.iterdir()):
                unfinished = not (path / FINISHED).is_file()
                young = unfinished and time.time() - path.stat().st_mtime < ABANDONED_SECONDS
                if _ID.fullmatch(path.name) and not young and (current is None or path.name != current.id):
                    remove(path)


def remove(path: Path) -> None:
    """Remove an environment. Files in use, on Windows, are removed by the next clean-up."""
    shutil.rmtree(path, ignore_errors=True)
    with contextlib.suppress(OSError):
        os.utime(path, (0, 0))


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

    Raises BackendMissingError: there is none. The message lists each candidate and its problem.
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
