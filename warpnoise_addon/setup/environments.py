"""Where the environments are that were made here: each in a folder of its own, one of them named in a file.

    FOLDER/current.json        the one that counts, and what is in it
    FOLDER/<id>/               an environment

A new one is made beside the one that counts, and takes its place once it was found to work: a set-up that fails or is
cancelled costs nothing that worked.
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
from ..errors import SettingsError

ABANDONED_SECONDS = 86400.0
"""An unfinished environment is left alone for so long: another Blender may be making it."""
FINISHED = "finished"
_ID = re.compile(r"\d{8}-[0-9a-f]{8}")


@dataclass(frozen=True)
class Environment:
    """What was set up. ``made``: seconds since the epoch. ``package``: the digest of the backend's wheel in it."""

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
        """The one that counts, though it may be broken; None: none was finished."""
        try:
            content = read_json(self._file)
            environment = Environment(
                str(content["id"]), str(content["build"]), str(content.get("package", "")), float(content["made"])
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return environment if _ID.fullmatch(environment.id) and self.path(environment).is_dir() else None

    def new(self) -> Path:
        """A folder's name for a new one. Raises SettingsError: the place cannot be written."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(
                "{folder} cannot be made: {reason}", folder=self.folder, reason=error.strerror
            ) from None
        return self.folder / f"{time.strftime('%Y%m%d')}-{secrets.token_hex(4)}"

    def finish(self, path: Path, build: str, package: str) -> None:
        """``path`` counts from now on, and the others go. Raises SettingsError: that cannot be written."""
        try:
            (path / FINISHED).touch()
            atomic_write(self._file, json.dumps(asdict(Environment(path.name, build, package, time.time()))))
        except OSError as error:
            raise SettingsError("{file} cannot be written: {reason}", file=self._file, reason=error.strerror) from None
        self.clean_up()

    def clean_up(self) -> None:
        """Remove what does not count and is not being made."""
        current = self.current
        with contextlib.suppress(OSError):
            for path in list(self.folder.iterdir()):
                unfinished = not (path / FINISHED).is_file()
                young = unfinished and time.time() - path.stat().st_mtime < ABANDONED_SECONDS
                if _ID.fullmatch(path.name) and not young and (current is None or path.name != current.id):
                    remove(path)


def remove(path: Path) -> None:
    """Remove an environment; what resists (a file that is in use on Windows) goes the next time."""
    shutil.rmtree(path, ignore_errors=True)
    with contextlib.suppress(OSError):
        os.utime(path, (0, 0))
