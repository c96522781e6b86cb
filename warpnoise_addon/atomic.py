"""Files that appear whole or not at all, and locks on files. Imports no bpy."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


@contextlib.contextmanager
def replacing(path: Path, private: bool = False) -> Iterator[BinaryIO]:
    """Yield a new file, open for writing and reading, which becomes ``path`` when the block ends.

    If the block raises, the new file is removed and ``path`` stays as it was. The new name cannot be guessed and no
    link is followed, so that nobody else's file is written. ``private``: only this user may read it.

    Raises OSError: the operating system refused, or there is no such folder.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(beside, flags, 0o600 if private else 0o666), "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


def atomic_write(path: Path, content: str | bytes, private: bool = False) -> None:
    """Write a whole file. Raises OSError as `replacing`."""
    with replacing(path, private) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def lock(file: IO[bytes]) -> None:
    """Take the operating system's lock, which ends with this process. Raises BlockingIOError."""
    if sys.platform == "win32":
        try:
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError(*error.args) from error
    else:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


def open_lock(path: Path, *, create: bool = True) -> IO[bytes]:
    """Opens a file to be locked, without following a link: in a shared folder it could lead anywhere.

    Raises OSError: it is a link or cannot be opened; FileNotFoundError if it is missing and ``create`` is false.
    """
    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | (os.O_CREAT if create else 0)
    return os.fdopen(os.open(path, flags, 0o666), "r+b")


def is_locked(path: Path) -> bool:
    """Whether another process holds a lock on the file. Raises OSError."""
    with open_lock(path) as file:
        try:
            lock(file)
        except BlockingIOError:
            return True
    return False
