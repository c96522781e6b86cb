"""Models of the hub on this disk: downloaded models, the parts of interrupted downloads, and their sizes."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import BaseModel, ValidationError

from warpnoise.errors import HubError, ModelError
from warpnoise.hub.remote import Offer
from warpnoise.media.json_file import read_object
from warpnoise.sdedit.places import HUB, download_folder, models_folder

NOTE = ".download"
"""The file in a downloaded folder that describes it. It has no suffix .json, so it is not a part of the model."""

_PATIENCE = 1.0
"""Seconds: other processes lock for a moment, to see whether a download runs."""


class Note(BaseModel):
    """The note in a downloaded folder. ``size``: bytes of the whole."""

    id: str = ""
    revision: str = ""
    license: str = ""
    size: int = 0


def read_note(folder: Path) -> Note | None:
    """The note in a downloaded folder, or None for any other folder."""
    try:
        return Note.model_validate(read_object(folder / NOTE, error=ModelError, largest=1 << 16))
    except (ModelError, ValidationError):
        return None


def left_to_download(offer: Offer) -> int:
    """Bytes that are not on this machine yet."""
    place, partial = download_folder(offer.id), partial_folder(offer.id)
    if (note := read_note(place)) is not None and note.revision == offer.revision:
        return sum(file.size for file in offer.files if file_size(place / file.name) != file.size)
    return missing_bytes(offer, partial)


def missing_bytes(offer: Offer, partial: Path) -> int:
    """Bytes of a model that have not arrived in the folder of its download."""
    return sum(file.size - min(file.size, _arrived(partial / file.name)) for file in offer.files)


def bytes_to_come(hub_id: str) -> int:
    """Bytes that other running downloads, of any process, will still write to the disk."""
    partial, total = partial_folder(hub_id), 0
    for folder in partial.parent.iterdir():
        note = read_note(folder)
        if note is None or folder == partial:
            continue
        try:
            with FileLock(f"{os.fspath(folder)}.lock", timeout=0):
                pass  # an interrupted download, which nothing continues
        except Timeout:
            total += max(note.size - folder_size(folder), 0)
    return total


@contextlib.contextmanager
def taking_room(hub_id: str) -> Iterator[None]:
    """Within a ``with`` block, no other download checks the disk's free space or records its size."""
    with FileLock(f"{os.fspath(partial_folder(hub_id).parent / 'room')}.lock"):
        yield


def remove(hub_id: str) -> int:
    """Remove a downloaded model, and the rest of an interrupted download of it. Returns the number of freed bytes.

    Raises:
        HubError: there is no such model, or it is being downloaded.
    """
    place, partial = download_folder(hub_id), partial_folder(hub_id)
    with lock_download(hub_id), disk_errors(place):
        there = [folder for folder in (place, partial) if folder.is_dir()]
        if not there:
            raise HubError(
                f"Warpnoise has not downloaded a model {hub_id}. `warpnoise models` lists the installed models."
            )
        freed = sum(folder_size(folder) for folder in there)
        for folder in there:
            remove_folder(folder)
        with contextlib.suppress(OSError):
            place.parent.rmdir()  # the owner's, if it was the last
    return freed


def remove_folder(folder: Path) -> None:
    """Rename the folder, so that it disappears at once, then delete it file by file."""
    aside = models_folder() / HUB / f".removed-{folder.parent.name}-{folder.name}"
    shutil.rmtree(aside, ignore_errors=True)
    folder.rename(aside)
    shutil.rmtree(aside)


def partial_folder(hub_id: str) -> Path:
    download_folder(hub_id)
    return models_folder() / HUB / ".partial" / hub_id.replace("/", "--")


@contextlib.contextmanager
def lock_download(hub_id: str) -> Iterator[None]:
    partial = partial_folder(hub_id)
    with disk_errors(partial):
        partial.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(f"{os.fspath(partial)}.lock", timeout=_PATIENCE):
            yield
    except Timeout:
        raise HubError(f"{hub_id} is being downloaded already. Wait for it, or cancel it.", "busy") from None


def folder_size(folder: Path) -> int:
    """Bytes of all files below a folder, links followed."""
    return sum(file_size(file) for file in folder.rglob("*"))


def file_size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0


def free_disk(folder: Path) -> int:
    """Free bytes on the disk of a folder that need not exist."""
    there = next(place for place in (folder, *folder.parents) if place.is_dir())
    return shutil.disk_usage(there).free


def _arrived(target: Path) -> int:
    """Bytes of a file on this disk, complete or not."""
    return file_size(target) or file_size(target.with_name(target.name + ".part"))


@contextlib.contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as refusal:
        raise HubError(
            f"Cannot write in {refusal.filename or folder} ({refusal.strerror or refusal}). Free space or choose "
            "another folder with WARPNOISE_MODELS; downloaded parts are kept.",
            "disk",
        ) from refusal
