"""Files that appear whole or not at all: written under another name, then renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from warpnoise.errors import MediaError, WarpnoiseError

_MACHINE = re.sub(r"[^\w-]", "_", platform.node() or "here")
_ADVICE = {
    errno.ENOSPC: "Free some space and run again: finished files stay.",
    errno.EDQUOT: "Free some of your quota and run again: finished files stay.",
    errno.EFBIG: "Choose a folder on a file system that takes files of this size.",
    errno.ENAMETOOLONG: "Choose a folder with a shorter path.",
    errno.EACCES: "Allow this user to write there, or choose another folder.",
    errno.EPERM: "Allow this user to write there, or choose another folder.",
    errno.EROFS: "The file system is read-only: choose another folder.",
    errno.EEXIST: "A file stands where a folder is expected: choose another folder.",
    errno.ENOTDIR: "A file stands where a folder is expected: choose another folder.",
}


@contextlib.contextmanager
def replacing(path: Path, *, error: type[WarpnoiseError] = MediaError, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Yields a new binary file beside ``path``, open for reading and writing, and renames it to ``path`` at the end.

    If the block raises, the new file is removed and ``path`` stays as it was. Missing folders are made. ``mode``: the
    new file's, from its first byte on, less the process's umask.

    The new file is created exclusively (``O_EXCL``), so no link is followed and nobody else's file is written to. Its
    name depends on the machine and on ``path`` alone: a killed process leaves at most one such file, which the next
    writer replaces. Two writers of one file on one machine must exclude each other; where they do not, one of them
    raises ``error``.

    Raises:
        error: the operating system refused (full disk, no permission, ...), or ``path`` is a folder or a device.
    """
    with _beside(path, error) as beside:
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(descriptor)  # without it, a power cut can leave the new name with an empty file
            written = os.fstat(descriptor)
        if not os.path.samestat(written, os.lstat(beside)):
            raise error(f"Cannot write {path}: another process writes it at the same time. Let one finish first.")
        beside.replace(path)


@contextlib.contextmanager
def replacing_by_name(path: Path, *, error: type[WarpnoiseError] = MediaError) -> Iterator[Path]:
    """As ``replacing``, for libraries that open files by name: yields a path in a private folder beside ``path``."""
    with _beside(path, error) as beside:
        beside.mkdir(mode=0o700)
        new = beside / path.name
        yield new
        with new.open("rb+") as file:
            os.fsync(file.fileno())
        new.replace(path)
        beside.rmdir()


def write_bytes(path: Path, data: bytes, *, error: type[WarpnoiseError] = MediaError, mode: int = 0o666) -> None:
    """Writes ``data`` to ``path``, whole or not at all. Raises ``error`` as ``replacing`` does."""
    with replacing(path, error=error, mode=mode) as file:
        file.write(data)


def remove(path: Path, *, error: type[WarpnoiseError] = MediaError) -> None:
    """Removes the file if it exists. Raises ``error`` if the operating system refuses."""
    try:
        path.unlink(missing_ok=True)
    except OSError as refusal:
        raise error(_refused("remove", path, refusal)) from refusal


def name_beside(path: Path) -> Path:
    """The unfinished file's name, or that of the folder that holds it."""
    return path.with_name(f".{path.name}.{_MACHINE}.tmp")


@contextlib.contextmanager
def _beside(path: Path, error: type[WarpnoiseError]) -> Iterator[Path]:
    """The unfinished file's name, where there is nothing yet. If the block raises, nothing is left there."""
    beside = name_beside(path)
    try:
        if path.exists() and not path.is_file():
            raise error(f"Cannot write {path}: it exists and is not a regular file. Choose another name.")
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove(beside)
        yield beside
    except OSError as refusal:
        _remove(beside)
        raise error(_refused("write", path, refusal)) from refusal
    except BaseException:
        _remove(beside)
        raise


def _refused(what: str, path: Path, refusal: OSError) -> str:
    advice = _ADVICE.get(refusal.errno or 0, "Check the disk and the folder.")
    return f"Cannot {what} {path}: {refusal.strerror or refusal}. {advice}"


def _remove(beside: Path) -> None:
    """Removes a leftover: a file, a link (not what it points to), or a folder."""
    with contextlib.suppress(OSError):
        if beside.is_dir() and not beside.is_symlink():
            shutil.rmtree(beside)
        else:
            beside.unlink(missing_ok=True)
