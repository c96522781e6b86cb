"""A mutex of a folder, which excludes other processes, and other users of it in this one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import filelock

from warpnoise.errors import JobError, JobLockedError

MUTEX_SECONDS = 30.0
"""How long others may hold a mutex that is held for a small file, on a slow network too."""


@contextlib.contextmanager
def locked(folder: Path, *, busy: str = "", wait_seconds: float = 0.0, name: str = ".lock") -> Iterator[None]:
    """Hold the folder's lock while the block runs. The operating system frees it when the process ends, however it
    ends.

    Args:
        folder: there already.
        busy: the message when somebody holds the lock for longer than ``wait_seconds``.
        name: the lock's file in the folder.

    Raises:
        JobLockedError: somebody holds the lock.
        JobError: the folder cannot be written.
    """
    lock = filelock.FileLock(folder / name, timeout=wait_seconds)
    try:
        os.lstat(folder)  # the library would make it
        lock.acquire()
    except filelock.Timeout:
        raise JobLockedError(busy or f"Another process has locked {folder}. Wait until it is done.") from None
    except (OSError, NotImplementedError) as refusal:
        raise JobError(
            f"Cannot lock {folder}: {refusal}. Allow this user to write there, or choose another folder."
        ) from refusal
    try:
        yield
    finally:
        lock.release()
