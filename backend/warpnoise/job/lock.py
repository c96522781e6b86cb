"""One process at a time in a folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import filelock

from warpnoise.errors import JobError, JobLockedError


@contextlib.contextmanager
def locked(folder: Path, *, busy: str, refused: str) -> Iterator[None]:
    """Keeps other processes, and other users of this in this one, off a folder while the block runs.

    The operating system frees the lock when the process ends, however it ends.

    Args:
        folder: there already; the lock is its file ``.lock``.
        busy: the message when somebody holds it.
        refused: the message when the folder cannot be written; ``{refusal}`` is the system's reason.

    Raises:
        JobLockedError: somebody works on the folder.
        JobError: the folder cannot be written.
    """
    lock = filelock.FileLock(folder / ".lock", timeout=0)
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
