"""The environments that Set Up created, each in its own folder.

    FOLDER/current.json        which environment is current, and what is in it
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
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from ..atomic import atomic_write
from ..bounded_json import read_json
from ..errors import SettingsError, writing

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
