"""Locks of the operating system on files. They end with the process that holds them. Imports no bpy."""

from __future__ import annotations

import os
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
