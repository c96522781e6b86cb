"""The files of a job folder: each is written whole or not at all, and by one process.

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

from ..atomic import lock, open_lock
from ..errors import ExportError, JobFolderError, Message, disk_full, writing
from ..frame_ranges import shot_file

_FULL = 1 << 20
"""A disk with less room than this, in bytes, is why a picture could not be written."""
_PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"


class JobFolder:
    """A job folder that is being written: made where it is missing, leased, with a place for unfinished files.

    ``with JobFolder(path, span) as folder:`` keeps other exports and the backend off the frames of ``span``, or off the
    whole folder.

    Raises:
        JobFolderError: the folder cannot be made or written, or another process works on it.
    """

    _lease: Lease

    def __init__(self, path: Path, span: Span | None = None) -> None:
        self.path = path.absolute()
        self._span = span

    def picture(self, kind: str, frame: int) -> Path:
        """The file of the frame's "color" or "passes"."""
        return self.path / shot_file(kind, frame)

    def __enter__(self) -> JobFolder:
        with writing(self.path):
            for folder in (self.path, self.path / "color", self.path / "passes"):
                folder.mkdir(parents=True, exist_ok=True)
            self._lease = Lease(self.path, self._span)
        return self

    def __exit__(self, *_: object) -> None:
        self._lease.release()

    def unfinished(self, target: Path) -> Path:
        """Where ``target`` is written before it is moved to its place; with the job folder it is cleaned up."""
        return self._lease.folder / target.name

    @contextlib.contextmanager
    def new(self, target: Path, least: int = 1) -> Iterator[Path]:
        """A path to write a picture to, which becomes ``target`` once it is found to be whole.

        ``least``: bytes; a smaller file is not whole.

        Raises:
            JobFolderError: the disk is full, or the file cannot be written.
        """
        path = self.unfinished(target)
        with writing(target):
            try:
                yield path
                if not is_whole(path, least):
                    raise JobFolderError(
                        "'{target}' could not be written: Blender wrote no complete file. See its messages above.",
                        target=target,
                    )
            except (ExportError, JobFolderError) as error:
                # Blender reports a full disk, if at all, in a separate sentence.
                if shutil.disk_usage(self.path).free < _FULL:
                    raise disk_full(target) from error
                raise
            path.replace(target)


def is_whole(path: Path, least: int = 1) -> bool:
    """Whether the picture is there, has at least so many bytes, and ends as a PNG file does if it is one."""
    try:
        if not path.is_file() or path.stat().st_size < least:
            return False
        if path.suffix == ".png":
            with path.open("rb") as file:
                file.seek(-min(len(_PNG_END), path.stat().st_size), 2)
                return file.read() == _PNG_END
    except OSError:
        return False
    return True


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
