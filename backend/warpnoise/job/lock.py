"""An operating-system lock on a folder, for as long as a block runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import filelock

from warpnoise.errors import JobError, JobLockedError


@contextlib.contextmanager
def locked(folder: Path, *, busy: str, refused: str, wait_seconds: float = 0.0, name: str = ".lock") -> Iterator[None]:
    """Keeps other processes, and other users of this in this one, off a folder while the block runs.

    The operating system frees the lock when the process ends, however it ends.

    Args:
        folder: there already.
        busy: the message when somebody holds the lock.
        refused: the message when the folder cannot be written; ``{refusal}`` is the system's reason.
        wait_seconds: how long somebody may hold it before that is an error.
        name: the lock's file in the folder.

    Raises:
        JobLockedError: somebody holds the lock.
        JobError: the folder cannot be written.
    """
    lock = filelock.FileLock(folder / name, timeout=wait_seconds)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise JobLockedError(busy) from None
    except (OSError, NotImplementedError) as refusal:
        raise JobError(refused.replace("{refusal}", str(refusal))) from refusal
    try:
        yield
    finally:
        lock.release()
