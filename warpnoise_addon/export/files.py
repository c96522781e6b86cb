"""The files of a job folder. Each is written whole or not at all, and by one process."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from ..errors import ExportError, JobFolderError, disk_full, writing
from ..frame_ranges import frame_name
from .leases import Lease, Span

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

    def color(self, frame: int) -> Path:
        return self.path / "color" / f"{frame_name(frame)}.png"

    def passes(self, frame: int) -> Path:
        return self.path / "passes" / f"{frame_name(frame)}.exr"

    def __enter__(self) -> JobFolder:
        with writing(self.path):
            for folder in (self.path, self.path / "color", self.path / "passes"):
                folder.mkdir(parents=True, exist_ok=True)
            self._lease = Lease(self.path, self._span)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
                # Blender tells a full disk, if at all, in a sentence of its own.
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
