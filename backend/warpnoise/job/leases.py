"""Leases on the frames of a result: several processes at a time, no two on one frame.

A lease is a file ``leases/FIRST_LAST_ID.lock`` in the result's folder that its holder keeps locked. The operating
system frees it when the process ends, however it ends; whoever finds a lease that nobody holds removes it. Leases are
looked through and taken under the mutex ``leases/.lock``.

Frames are deterministic and appear whole, so two holders of one lease (on a network file system without locks) lose
time, not frames.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import filelock

from warpnoise.errors import JobError, JobLockedError
from warpnoise.job.lock import locked

_NAME = re.compile(r"(?P<first>-?\d+)_(?P<last>-?\d+)_\w+\.lock")
_MUTEX_SECONDS = 30.0
"""How long others may need to look through the leases, on a slow network too."""


@contextlib.contextmanager
def lease(result: Path, first: int, last: int) -> Iterator[None]:
    """Holds the frames from ``first`` to ``last`` of the result in a folder while the block runs.

    Raises:
        JobLockedError: another process holds some of them.
        JobError: the folder cannot be written.
    """
    folder = result / "leases"
    with _mutex(result, folder):
        for other in sorted(folder.iterdir()):
            theirs = _NAME.fullmatch(other.name)
            if theirs and int(theirs["first"]) <= last and first <= int(theirs["last"]) and not _removed(other):
                raise JobLockedError(_busy(f"frames {theirs['first']} to {theirs['last']} of {result}"))
        lock = filelock.FileLock(folder / f"{first}_{last}_{secrets.token_hex(6)}.lock", timeout=0)
        try:
            lock.acquire()
        except (OSError, NotImplementedError) as refusal:
            raise JobError(_refused(result).replace("{refusal}", str(refusal))) from refusal
    try:
        yield
    finally:
        lock.release()
        with contextlib.suppress(OSError):
            Path(lock.lock_file).unlink(missing_ok=True)


@contextlib.contextmanager
def movie_lease(result: Path) -> Iterator[None]:
    """Holds the result's movie while the block runs. Raises as ``lease`` does."""
    folder = result / "leases"
    with locked(folder, busy=_busy(f"the movie of {result}"), refused=_refused(result), name="movie.lock"):
        yield


@contextlib.contextmanager
def _mutex(result: Path, folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as refusal:
        raise JobError(_refused(result).replace("{refusal}", str(refusal))) from refusal
    with locked(folder, busy=_busy(str(result)), refused=_refused(result), wait_seconds=_MUTEX_SECONDS):
        yield


def _removed(lease_file: Path) -> bool:
    """Whether nobody held it; then it is gone."""
    lock = filelock.FileLock(lease_file, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        return False
    except OSError:
        return not lease_file.exists()
    lock.release()
    with contextlib.suppress(OSError):
        lease_file.unlink(missing_ok=True)
    return True


def _busy(what: str) -> str:
    return f"Another process works on {what}. Wait until it is done, or cancel it."


def _refused(result: Path) -> str:
    return f"Cannot lock {result}: {{refusal}}. Give this user the right to write there, or copy the job folder."
