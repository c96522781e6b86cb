"""A folder's lock: one process at a time, for as long as a block runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import filelock

from warpnoise.errors import JobError, JobLockedError


@contextlib.contextmanager
def locked(folder: Path, *, busy: str, refused: str, wait_seconds: float = 0.0) -> Iterator[None]:
    """Keeps other processes, and other users of this in this one, off a folder while the block runs.

    The operating system frees the lock when the process ends, however it ends.

    Args:
        folder: there already; the lock is its file ``.lock``.
        busy: the message when somebody holds it.
        refused: the message when the folder cannot be written; ``{refusal}`` is the system's reason.
        wait_seconds: how long somebody may hold it before that is an error.

    Raises:
        JobLockedError: somebody works on the folder.
        JobError: the folder cannot be written.
    """
    lock = filelock.FileLock(folder / ".lock", timeout=wait_seconds)
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
