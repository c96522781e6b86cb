"""Files that appear whole or not at all: written beside, then renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path

from warpnoise.errors import MediaError, WarpnoiseError

_MACHINE = re.sub(r"[^\w-]", "_", platform.node() or "here")
_ADVICE = {
    errno.ENOSPC: "Free some space and run again: what was finished stays.",
    errno.EDQUOT: "Free some of your quota and run again: what was finished stays.",
    errno.EACCES: "Give this user the right to write there, or choose another folder.",
    errno.EPERM: "Give this user the right to write there, or choose another folder.",
    errno.EROFS: "The file system is read-only: choose another folder.",
    errno.EEXIST: "A file stands where a folder is expected: choose another folder.",
    errno.ENOTDIR: "A file stands where a folder is expected: choose another folder.",
}


@contextlib.contextmanager
def replacing(path: Path, *, error: type[WarpnoiseError] = MediaError) -> Iterator[Path]:
    """Yields a path beside ``path`` to write to, and renames it to ``path`` when the block ends.

    When the block raises, the file beside is removed and what stood at ``path`` stays. The folder is made where it
    is missing. The name beside is the same every time on one machine, so that a killed process leaves at most one such
    file, which the next run replaces: there must be one writer at a time on a machine (see ``Job.lock``). On a network
    file system whose locks do not work between machines, each still writes a file of its own.

    Raises:
        error: the operating system refused (full disk, no permission, ...), or ``path`` is a folder or a device.
    """
    if path.exists() and not path.is_file():
        raise error(f"Cannot write {path}: it is there, but is no file. Choose another name.")
    beside = name_beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        _flush_to_disk(beside)
        beside.replace(path)
    except OSError as refusal:
        _remove(beside)
        raise error(_refused("write", path, refusal)) from refusal
    except BaseException:
        _remove(beside)
        raise


def write_bytes(path: Path, data: bytes, *, error: type[WarpnoiseError] = MediaError) -> None:
    """Writes ``data`` to ``path``, whole or not at all. Raises ``error`` as ``replacing`` does."""
    with replacing(path, error=error) as beside:
        beside.write_bytes(data)


def remove(path: Path, *, error: type[WarpnoiseError] = MediaError) -> None:
    """Removes the file if it is there. Raises ``error`` when the operating system refuses."""
    try:
        path.unlink(missing_ok=True)
    except OSError as refusal:
        raise error(_refused("remove", path, refusal)) from refusal


def name_beside(path: Path) -> Path:
    """The unfinished file's name."""
    return path.with_name(f".{path.name}.{_MACHINE}.tmp")


def _refused(what: str, path: Path, refusal: OSError) -> str:
    advice = _ADVICE.get(refusal.errno or 0, "Check the disk and the folder.")
    return f"Cannot {what} {path}: {refusal.strerror or refusal}. {advice}"


def _flush_to_disk(path: Path) -> None:
    # Without it, a power cut can leave the new name with an empty file.
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
