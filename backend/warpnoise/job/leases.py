"""Leases on the frames of a result, so that no two processes make the same frame."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import filelock

from warpnoise.errors import JobError, JobLockedError

MUTEX_SECONDS = 30.0
"""How long others may hold a mutex that is held for a small file, on a slow network too."""


@contextlib.contextmanager
def locked(folder: Path, *, busy: str = "", wait_seconds: float = 0.0, name: str = ".lock") -> Iterator[None]:
    """Keeps other processes, and other users of this in this one, off a folder while the block runs.

    The operating system frees the lock when the process ends, however it ends.

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


_NAME = re.compile(r"(?P<first>-?\d+)_(?P<last>-?\d+)_\w+\.lock")


@contextlib.contextmanager
def lease(result: Path, first: int, last: int) -> Iterator[None]:
    """Holds the frames from ``first`` to ``last`` of the result in a folder while the block runs.

    Raises:
        JobLockedError: another process holds some of them.
        JobError: the folder cannot be written.
    """
    folder = result / "leases"
    mine = folder / f"{first}_{last}_{secrets.token_hex(6)}.lock"
    with contextlib.ExitStack() as held:
        with locked(folder, wait_seconds=MUTEX_SECONDS):
            for other in sorted(folder.iterdir()):
                theirs = _NAME.fullmatch(other.name)
                if theirs and int(theirs["first"]) <= last and first <= int(theirs["last"]):
                    _remove_if_free(other, f"frames {theirs['first']} to {theirs['last']} of {result}")
            held.callback(_remove, mine)
            held.enter_context(locked(folder, name=mine.name))
        yield


def movie_lease(result: Path) -> contextlib.AbstractContextManager[None]:
    """Holds the result's movie while the block runs. Raises as ``lease`` does."""
    return locked(result / "leases", busy=_busy(f"the movie of {result}"), name="movie.lock")


def _remove_if_free(lease_file: Path, what: str) -> None:
    """Raises JobLockedError: somebody holds it."""
    try:
        with locked(lease_file.parent, busy=_busy(what), name=lease_file.name):
            pass
    except JobLockedError:
        if lease_file.exists():
            raise
    _remove(lease_file)


def _remove(lease_file: Path) -> None:
    with contextlib.suppress(OSError):
        lease_file.unlink(missing_ok=True)


def _busy(what: str) -> str:
    return f"Another process works on {what}. Wait until it is done, or cancel it."
