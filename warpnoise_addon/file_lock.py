"""Locks of the operating system on files: they end with the process that holds them, however it ends. No bpy."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


def lock(file: IO[bytes]) -> None:
    """Takes the lock or raises BlockingIOError."""
    if sys.platform == "win32":
        try:
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError(*error.args) from error
    else:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_locked(path: Path) -> bool:
    """Whether another process holds a lock on the file. Raises OSError."""
    with path.open("ab") as file:
        try:
            lock(file)
        except BlockingIOError:
            return True
    return False
