"""The results of a shot, ``JOB/results/NAME/``, and the one in use. Imports no bpy.

The backend makes results (docs/architecture.md, "The job folder"). The add-on lists, switches and deletes them. To
switch, it writes ``JOB/current.json`` and moves nothing.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from .atomic import atomic_write, is_locked
from .bounded_json import parse_json, read_bytes, read_json
from .errors import JobFolderError, Message, SettingsError, writing
from .frame_ranges import frame_name
from .settings import Settings, make_settings

CURRENT = "current.json"
LARGEST_JOB_FILE = 1 << 30
"""Bytes of job.json, which has the matrices of every moving object."""
Made = TypeVar("Made")
_NAME = re.compile(r"[\w-][\w.-]*")


@dataclass(frozen=True)
class Result:
    """``settings``: the effective ones. ``frames``: the number of pictures."""

    folder: Path
    settings: Settings
    frames: int

    @property
    def name(self) -> str:
        return self.folder.name


def read_job(job: Path, made_of: Callable[[Any], Made]) -> tuple[Made, bytes]:
    """What ``made_of`` makes of the content of ``job.json``, and the file itself.

    Raises JobFolderError: there is no such file, or ``made_of`` cannot use it.
    """
    path = job / "job.json"
    try:
        data = read_bytes(path, LARGEST_JOB_FILE)
        return made_of(parse_json(data, LARGEST_JOB_FILE)), data
    except OSError as error:
        raise JobFolderError(
            "'{path}' cannot be read: {reason}. Render the job again", path=path, reason=error.strerror
        ) from None
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise JobFolderError(
            "'{path}' does not describe a job: {error}. Render the job again",
            path=path,
            error=error if isinstance(error, ValueError) else Message("its frames or its size are missing"),
        ) from None


def result_folder(job: Path, name: str) -> Path:
    """Raises JobFolderError: not the name of a result."""
    if not _NAME.fullmatch(name):
        raise JobFolderError("{name!r} is not the name of a result in '{job}'", name=name, job=job)
    return job / "results" / name


def frame_path(result: Path, frame: int) -> Path:
    """The picture of a frame in a result's folder."""
    return result / "frames" / f"{frame_name(frame)}.png"


def list_results(job: Path) -> list[Result]:
    """All of them, by name. Damaged ones are left out."""
    with contextlib.suppress(OSError):
        folders = sorted(folder for folder in (job / "results").iterdir() if _NAME.fullmatch(folder.name))
        return [result for folder in folders if (result := _read(folder)) is not None]
    return []


def current_folder(job: Path) -> Path | None:
    """The folder of the result in use; None: there is none."""
    try:
        folder = result_folder(job, str(read_json(job / CURRENT)["result"]))
    except (OSError, ValueError, KeyError, TypeError, JobFolderError):
        return None
    return folder if (folder / "frames").is_dir() else None


def use_result(job: Path, name: str) -> Result:
    """Make it the result in use.

    Raises JobFolderError: there is no such result, or the folder cannot be written.
    """
    result = _read(result_folder(job, name))
    if result is None:
        raise JobFolderError("'{job}' has no result {name!r}: it was deleted", job=job, name=name)
    with writing(job / CURRENT):
        atomic_write(job / CURRENT, json.dumps({"result": name}) + "\n")
    return result


def remove_result(job: Path, name: str) -> None:
    """Delete a result that is not there any more as soon as it begins to be deleted.

    Raises JobFolderError: a process works on it, or it cannot be deleted.
    """
    folder = result_folder(job, name)
    try:
        leases = folder / "leases"
        if leases.is_dir() and any(is_locked(lease) for lease in leases.glob("[!.]*.lock")):
            raise JobFolderError("'{folder}' is being stylized. Wait until it is done, or cancel it.", folder=folder)
        with contextlib.suppress(FileNotFoundError):
            folder.rename(folder.with_name(f".deleted-{name}-{secrets.token_hex(4)}"))
        for gone in folder.parent.glob(".deleted-*"):  # those of interrupted deletions, too
            shutil.rmtree(gone, ignore_errors=not gone.name.startswith(f".deleted-{name}-"))
    except OSError as error:
        raise JobFolderError(
            "'{folder}' cannot be deleted: {reason}", folder=folder, reason=error.strerror or error
        ) from None


def _read(folder: Path) -> Result | None:
    try:
        settings = make_settings(**read_json(folder / "settings.json")["settings"])
    except (OSError, ValueError, TypeError, KeyError, SettingsError):
        return None
    try:
        frames = sum(path.suffix == ".png" and path.name[0] != "." for path in (folder / "frames").iterdir())
    except OSError:
        frames = 0
    return Result(folder, settings, frames)
