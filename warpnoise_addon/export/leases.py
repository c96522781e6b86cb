"""Leases on the frames of an export, so that no two processes render the same frame.

The export that works on some frames locks ``.leases/FIRST_LAST_ID/.lock`` or ``.leases/all_ID/.lock``. The folder of
the lease also holds unfinished files. A process that finds a lease that nobody holds removes it with its content.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from ..errors import JobFolderError
from ..file_lock import lock, open_lock
from ..messages import Message

_NAME = re.compile(r"(?:all|movie|(?P<first>-?\d+)_(?P<last>-?\d+))_\w+")
_MUTEX_SECONDS = 30.0
"""How long others may need to look through the leases, on a slow network too."""

Span = tuple[int, int]
"""The first and the last frame number."""


class Lease:
    """The frames of ``span``, or the whole job folder, are this process's until ``release``.

    ``folder``: for unfinished files, on the job's file system.

    Raises:
        JobFolderError: another process works on one of them, or ``.leases`` is a link.
        OSError: the folder cannot be written.
    """

    def __init__(self, job: Path, span: Span | None) -> None:
        with mutex(job):
            leases = job / ".leases"
            if leases.is_symlink():  # removing dead leases through it would delete what lies elsewhere
                raise JobFolderError("'{leases}' is a link. Remove it, or choose another job folder.", leases=leases)
            for other in sorted(leases.iterdir()) if leases.is_dir() else ():
                match = _NAME.fullmatch(other.name)
                if match is None or not _overlap(span, match) or _removed(other):
                    continue
                frames = Message("frames {first} to {last} of ", first=match["first"], last=match["last"])
                raise JobFolderError(
                    "Another process works on {what}the job folder '{path}'. Wait until it is done, or choose another "
                    "one.",
                    what=frames if match["first"] else "",
                    path=job,
                )
            self.folder = leases / f"{'all' if span is None else f'{span[0]}_{span[1]}'}_{secrets.token_hex(6)}"
            self.folder.mkdir(parents=True)
            self._file = open_lock(self.folder / ".lock")
            lock(self._file)

    def release(self) -> None:
        self._file.close()  # and with it the lock
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def mutex(job: Path) -> Iterator[None]:
    """Nobody else looks through the leases, or writes ``job.json``, while the block runs. It must be short.

    Raises:
        JobFolderError: somebody holds the lock for too long.
    """
    until = time.monotonic() + _MUTEX_SECONDS
    with open_lock(job / ".lock") as file:
        while True:
            try:
                lock(file)
                break
            except BlockingIOError as error:
                if time.monotonic() > until:
                    raise JobFolderError(
                        "Another process has locked the job folder '{job}' for {seconds:.0f} s. Wait until "
                        "it is done, or choose another one.",
                        job=job,
                        seconds=_MUTEX_SECONDS,
                    ) from error
                time.sleep(0.05)
        yield


@contextlib.contextmanager
def frame_mutex(job: Path, frame: int) -> Iterator[bool]:
    """Whether no other machine is at this frame's motion just now; while the block runs, it is ours."""
    path = job / ".leases" / f"motion_{frame}"
    path.parent.mkdir(exist_ok=True)
    with open_lock(path) as file:
        try:
            lock(file)
        except BlockingIOError:
            yield False
            return
        try:
            yield True
        finally:
            with contextlib.suppress(OSError):  # not where somebody looks at it just now
                path.unlink()


def _overlap(span: Span | None, match: re.Match[str]) -> bool:
    if span is None or match["first"] is None:
        return span is None or not match[0].startswith("movie")
    return span[0] <= int(match["last"]) and int(match["first"]) <= span[1]


def _removed(lease: Path) -> bool:
    """Whether nobody holds it; then it is gone. A folder without a lock is no lease, and keeps what it holds."""
    if lease.is_symlink():
        return True
    try:
        with open_lock(lease / ".lock", create=False) as file:
            lock(file)
    except BlockingIOError:
        return False
    except FileNotFoundError:  # its holder ended before it took the lock, or is just removing it
        with contextlib.suppress(OSError):
            lease.rmdir()
        return True
    shutil.rmtree(lease, ignore_errors=True)
    return True
