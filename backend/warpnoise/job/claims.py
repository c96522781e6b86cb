"""Which frames of a job folder are worked on: several processes at a time, no two on one frame.

A claim is a folder ``.claims/FIRST_LAST_ID`` (or ``all_ID``, or ``movie_ID``), whose file ``.lock`` its holder keeps
locked. Whoever works on the stylized frames, some or all, also holds ``stylizing_ID``, which others may hold too: they
all work with the same settings. The operating system frees the lock when the process ends, however it ends; whoever
finds a claim that nobody holds removes it. Claims are looked through and made while ``.lock`` of the job folder is
held, which takes a moment. The add-on keeps to the same files (``warpnoise_addon/export/claims.py``).
"""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import filelock

from warpnoise.errors import JobError, JobLockedError
from warpnoise.job.lock import locked

Scope = tuple[int, int] | Literal["all", "movie"]
"""Frames, by the first and the last number; everything; or only the movie."""

_JOINED = "stylizing_"
_NAME = re.compile(r"(?P<word>all|movie)_\w+|(?P<first>-?\d+)_(?P<last>-?\d+)_\w+")
_MOMENT_SECONDS = 30.0
"""How long others may need to look through the claims, on a slow network too."""


@contextlib.contextmanager
def claimed(folder: Path, scope: Scope) -> Iterator[None]:
    """Claims the scope while the block runs.

    Raises:
        JobLockedError: somebody works on something of it.
        JobError: the folder cannot be written.
    """
    with _held(folder, lambda: _take(folder, scope)):
        yield


@contextlib.contextmanager
def joined(folder: Path, enter: Callable[[bool], None]) -> Iterator[None]:
    """Joins those who work on the stylized frames while the block runs.

    Args:
        enter: called before, while nobody can join or leave; its argument says whether others are at work. What it
            raises ends it.

    Raises:
        JobLockedError, JobError: as ``claimed``.
    """

    def join() -> filelock.BaseFileLock:
        others = [claim for claim in _claims(folder) if claim.name.startswith(_JOINED) and not _removed(claim)]
        enter(bool(others))
        return _new_claim(folder, _JOINED)

    with _held(folder, join):
        yield


@contextlib.contextmanager
def _held(folder: Path, take: Callable[[], filelock.BaseFileLock]) -> Iterator[None]:
    refused = f"Cannot lock {folder}: {{refusal}}. Give this user the right to write there, or copy the folder."
    with locked(folder, busy=_busy(folder), refused=refused, wait_seconds=_MOMENT_SECONDS):
        try:
            lock = take()
        except (OSError, NotImplementedError) as refusal:
            raise JobError(refused.replace("{refusal}", str(refusal))) from refusal
    try:
        yield
    finally:
        lock.release()
        shutil.rmtree(Path(lock.lock_file).parent, ignore_errors=True)


def _claims(folder: Path) -> list[Path]:
    claims = folder / ".claims"
    return sorted(claims.iterdir()) if claims.is_dir() else []


def _take(folder: Path, scope: Scope) -> filelock.BaseFileLock:
    for other in _claims(folder):
        theirs = _scope(other.name)
        if theirs is not None and _exclude(scope, theirs) and not _removed(other):
            what = f"frames {theirs[0]} to {theirs[1]} of " if isinstance(theirs, tuple) else ""
            raise JobLockedError(_busy(folder, what))
    return _new_claim(folder, f"{scope}_" if isinstance(scope, str) else f"{scope[0]}_{scope[1]}_")


def _new_claim(folder: Path, start: str) -> filelock.BaseFileLock:
    mine = folder / ".claims" / f"{start}{secrets.token_hex(6)}"
    mine.mkdir(parents=True)
    lock = filelock.FileLock(mine / ".lock", timeout=0)
    lock.acquire()
    return lock


def _scope(name: str) -> Scope | None:
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    word = match["word"]
    if word is not None:
        return "all" if word == "all" else "movie"
    return int(match["first"]), int(match["last"])


def _exclude(one: Scope, other: Scope) -> bool:
    if one == "all" or other == "all":
        return True
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return one[0] <= other[1] and other[0] <= one[1]


def _removed(claim: Path) -> bool:
    """Whether nobody held it; then it is gone."""
    lock = filelock.FileLock(claim / ".lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        return False
    except FileNotFoundError:  # its holder is just removing it
        return True
    lock.release()
    shutil.rmtree(claim, ignore_errors=True)
    return True


def _busy(folder: Path, what: str = "") -> str:
    return (
        f"Another process works on {what}{folder}. Wait until it is done, or cancel it; "
        "to work on both, copy the folder."
    )
