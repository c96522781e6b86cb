"""The results of one job side by side: ``stylized/`` is the one in use, the others are in ``results/NAME/``.

The same files as the backend's (``backend/warpnoise/job/results.py``, docs/architecture.md), which keeps the result in
use before it makes one of other settings. Here they are listed, switched and removed. Imports no bpy.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import JobFolderError, SettingsError
from ..export.claims import moment, someone_stylizes
from ..settings import Settings, describe, make_settings

SETTINGS = "records/settings.json"
PARTS = ("stylized", "records/stylized", "stylized.mp4", "records/movie.json")


@dataclass(frozen=True)
class Result:
    """``folder`` holds the parts: the job folder itself, or ``results/NAME``. ``frames``: how many are finished."""

    folder: Path
    settings: Settings
    frames: int

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def label(self) -> str:
        """What people know it by: its style, and what of its settings is not the default."""
        return describe(self.settings)


def present_result(job: Path) -> Result | None:
    """The result in use; None: there is none, or nobody knows what it was made with."""
    return _read(job)


def kept_results(job: Path) -> list[Result]:
    """The others, by name. What is damaged is passed over."""
    with contextlib.suppress(OSError):
        return [result for folder in sorted((job / "results").iterdir()) if (result := _read(folder)) is not None]
    return []


def use_result(job: Path, name: str) -> None:
    """Make ``results/NAME`` the result in use, and keep the one that was.

    Raises:
        JobFolderError: there is none of that name; it is being stylized; a file cannot be moved.
    """
    chosen = next((result for result in kept_results(job) if result.name == name), None)
    if chosen is None:
        raise JobFolderError(f"'{job}' has no result {name!r}: it was removed, or is in use already")
    with _nobody_stylizes(job):
        _keep(job)
        _move(chosen.folder, job)
        _write_settings(job, chosen.settings)
        shutil.rmtree(chosen.folder, ignore_errors=True)


def make_present(job: Path, settings: Settings) -> None:
    """Before results of these settings come from elsewhere: as the backend does it for those that it makes.

    Raises:
        JobFolderError: as `use_result`.
    """
    present = _read(job)
    if present is not None and present.settings == settings:
        return
    kept = next((result for result in kept_results(job) if result.settings == settings), None)
    if kept is not None:
        use_result(job, kept.name)
        return
    with _nobody_stylizes(job):
        _keep(job)
        _write_settings(job, settings)


def remove_result(job: Path, name: str) -> None:
    """Delete ``results/NAME``.

    Raises:
        JobFolderError: it cannot be deleted.
    """
    try:
        shutil.rmtree(job / "results" / Path(name).name)
    except FileNotFoundError:
        return
    except OSError as error:
        raise JobFolderError(f"'{job / 'results' / name}' cannot be deleted: {error.strerror or error}") from None


@contextlib.contextmanager
def _nobody_stylizes(job: Path) -> Iterator[None]:
    try:
        with moment(job):
            if someone_stylizes(job):
                raise JobFolderError(f"'{job}' is being stylized. Wait until it is done, or cancel it.")
            yield
    except OSError as error:
        raise JobFolderError(f"The results in '{job}' cannot be moved: {error.strerror or error}") from error


def _keep(job: Path) -> None:
    """Moves the result in use to a folder of its own. What nobody knows the settings of is gone on with."""
    present = _read(job)
    if present is None or not any((job / part).exists() for part in PARTS):
        return
    target = _free(job / "results", present.settings)
    _write_settings(target, present.settings)  # first: from here on it is listed
    _move(job, target)
    (job / SETTINGS).unlink()


def _free(results: Path, settings: Settings) -> Path:
    word = re.sub(r"[^\w-]+", "-", settings["style"] or Path(settings["model"]).name).strip("-")[:40] or "result"
    number, path = 1, results / word
    while path.exists():
        number += 1
        path = results / f"{word}-{number}"
    return path


def _move(source: Path, target: Path) -> None:
    for part in PARTS:
        (target / part).parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            (source / part).rename(target / part)


def _write_settings(folder: Path, settings: Settings) -> None:
    path = folder / SETTINGS
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(json.dumps(dict(settings)) + "\n", encoding="utf-8")
    beside.replace(path)


def _read(folder: Path) -> Result | None:
    try:
        content: Any = json.loads((folder / SETTINGS).read_bytes())
        settings = make_settings(**content)
    except (OSError, ValueError, TypeError, KeyError, SettingsError):
        return None
    try:
        frames = sum(path.suffix == ".png" for path in (folder / "stylized").iterdir())
    except OSError:
        frames = 0
    return Result(folder, settings, frames)
