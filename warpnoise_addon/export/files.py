"""The files of a job folder: their names, written whole or not at all, and by one process at a time."""

from __future__ import annotations

import contextlib
import errno
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO

from ..errors import ExportError, JobFolderError
from ..names import frame_name
from .exr_header import read_exr_header
from .png import is_whole_png

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


_FULL = 1 << 20
"""A disk with less room than this, in bytes, is why a picture could not be written."""


class JobFolder:
    """A job folder that is being written: made where it is missing, locked, with a place for unfinished files.

    ``with JobFolder(path) as folder:`` takes the same lock on ``JOB/.lock`` as the backend, and removes unfinished
    files in the end.

    Raises:
        JobFolderError: the folder cannot be made or written, or another process works on it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._unfinished = self.path / ".export"
        self._lock: IO[bytes] | None = None

    def color(self, frame: int) -> Path:
        return self.path / "color" / f"{frame_name(frame)}.png"

    def passes(self, frame: int) -> Path:
        return self.path / "passes" / f"{frame_name(frame)}.exr"

    def __enter__(self) -> JobFolder:
        try:
            for folder in (self.path, self.path / "color", self.path / "passes"):
                folder.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / ".lock").open("ab")
            _lock(self._lock)
            shutil.rmtree(self._unfinished, ignore_errors=True)
            self._unfinished.mkdir()
        except BlockingIOError as error:
            self._release()
            raise JobFolderError(
                f"Another process works on the job folder '{self.path}'. Wait until it is done, or choose another one."
            ) from error
        except OSError as error:
            self._release()
            raise JobFolderError(
                f"The job folder '{self.path}' cannot be written: {error.strerror or error}. Choose another "
                "folder, or change its permissions."
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._unfinished, ignore_errors=True)
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.close()  # and with it the lock
            self._lock = None

    @contextlib.contextmanager
    def new(self, target: Path) -> Iterator[Path]:
        """A path to write a picture to, which becomes ``target`` once it is found to be whole.

        Raises:
            JobFolderError: the disk is full, or the file cannot be written.
        """
        path = self._unfinished / target.name
        with reported(target):
            try:
                yield path
                _check_whole(path)
            except (ExportError, _NotWholeError) as error:
                # Blender tells a full disk, if at all, in a sentence of its own.
                if shutil.disk_usage(self.path).free < _FULL:
                    raise _disk_full(target) from error
                if isinstance(error, ExportError):
                    raise
                raise JobFolderError(
                    f"'{target}' could not be written: Blender left no whole file. Its messages above say more."
                ) from error
            path.replace(target)


@contextlib.contextmanager
def reported(target: Path) -> Iterator[None]:
    """Turns what the operating system raises while ``target`` is written into a JobFolderError."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _disk_full(target) from error
        raise JobFolderError(f"'{target}' cannot be written: {error}.") from error


def is_whole(path: Path) -> bool:
    """Whether the picture, PNG or OpenEXR, is there and complete."""
    try:
        _check_whole(path)
    except (OSError, _NotWholeError):
        return False
    return True


class _NotWholeError(Exception):
    pass


def _check_whole(path: Path) -> None:
    try:
        if path.suffix == ".exr":
            read_exr_header(path)
        elif not is_whole_png(path):
            raise _NotWholeError(path)
    except (FileNotFoundError, ExportError) as error:
        raise _NotWholeError(path) from error


def _disk_full(target: Path) -> JobFolderError:
    return JobFolderError(
        f"The disk is full: '{target}' could not be written. Make room and export again; finished frames are kept."
    )


def _lock(file: IO[bytes]) -> None:
    """Takes the lock or raises BlockingIOError."""
    if sys.platform == "win32":
        try:
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError(*error.args) from error
    else:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
