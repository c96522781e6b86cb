"""The disk for downloaded models: sizes, free space and errors."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from warpnoise.errors import HubError


def folder_size(folder: Path) -> int:
    """Bytes of all files below a folder, links followed."""
    return sum(file_size(file) for file in folder.rglob("*"))


def file_size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0


def free_disk(folder: Path) -> int:
    """Bytes free where a folder is, or will be."""
    there = next(place for place in (folder, *folder.parents) if place.is_dir())
    return shutil.disk_usage(there).free


def gigabytes(size: int) -> str:
    """A size for people: "6.9 GB", "12 MB"."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{max(size, 0) / 1e6:.1f} MB"


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
