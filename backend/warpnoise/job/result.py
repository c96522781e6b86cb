"""A result: the frames and the movie that one set of settings makes of a shot, in one folder.

    settings.json  frames/0001.png  movie.mp4  records/0001.json  records/movie.json  leases/

Nothing is moved between results. The record of a picture, or of the movie, holds a digest of its inputs and one of its
bytes. It is written after the file, so a file without a record, or with the record of other bytes, is not finished.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from warpnoise.errors import JobError, JobLockedError
from warpnoise.hashing import file_sha256
from warpnoise.job.frame_ranges import frame_name
from warpnoise.job.locks import MUTEX_SECONDS, locked
from warpnoise.job.settings import Settings
from warpnoise.media.atomic import write_bytes
from warpnoise.media.json_file import read_json
from warpnoise.media.validation import StrictModel, validated

log = logging.getLogger(__name__)


class Record(StrictModel):
    """The content of a record file."""

    made_of: str = Field(min_length=1)
    """A digest of all inputs, taken when they were read."""
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """Of the file's bytes."""
    preview: bool = False
    """A preview made the picture, in a batch of one: a run over the shot makes it again."""


_LEASE = re.compile(r"(?P<first>-?\d+)_(?P<last>-?\d+)_\w+\.lock")
RESULTS = "results"
"""The folder of a shot's results, in the job folder."""


class ModelInfo(StrictModel):
    """The model of a result: what the user called it, and the digest of its weights and configuration."""

    name: str
    digest: str


class ResultInfo(StrictModel):
    """The content of ``settings.json``."""

    schema_version: Annotated[Literal[2], Field(alias="schema")] = 2
    settings: Settings
    """The effective ones: what null stands for is written out."""
    model: ModelInfo


@dataclass(frozen=True)
class Result:
    """The result in ``folder``, which may be anywhere and need not exist yet."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def raw(self) -> Result:
        """The frames before accumulation, with separate records. It exists if the settings accumulate."""
        return Result(self.folder / "raw")

    @property
    def settings_file(self) -> Path:
        return self.folder / "settings.json"

    @property
    def movie(self) -> Path:
        return self.folder / "movie.mp4"

    def frame(self, frame: int) -> Path:
        """The picture of a frame, a PNG with the size and encoding of the colour frame."""
        return self.folder / "frames" / f"{frame_name(frame)}.png"

    def info(self) -> ResultInfo | None:
        """The settings and the model of the result. None: this is not a result, or ``settings.json`` is damaged."""
        with contextlib.suppress(JobError):
            content = read_json(self.settings_file, error=JobError)
            return validated(ResultInfo, content, str(self.settings_file), JobError)
        return None

    def create(self, info: ResultInfo) -> None:
        """Create the folder and write ``settings.json``, unless they exist.

        Raises:
            JobError: the operating system refuses.
        """
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            with locked(self.folder.parent, wait_seconds=MUTEX_SECONDS):
                for rest in self.folder.parent.glob(".deleted-*"):  # of a deletion that was cut off
                    shutil.rmtree(rest, ignore_errors=True)
                for part in ("frames", "records", "leases"):
                    (self.folder / part).mkdir(parents=True, exist_ok=True)
                if self.info() != info:
                    text = info.model_dump_json(by_alias=True, indent=1)
                    write_bytes(self.settings_file, f"{text}\n".encode(), error=JobError)
        except OSError as refusal:
            raise JobError(
                f"Cannot write to {self.folder}: {refusal.strerror or refusal}. Give this user the right to write "
                "there, or remove the file that is in the way."
            ) from refusal

    @contextlib.contextmanager
    def lease(self, first: int, last: int) -> Iterator[None]:
        """Hold the frames from ``first`` to ``last`` while a ``with`` block runs, so that no other process makes them.

        Raises:
            JobLockedError: another process holds some of them.
            JobError: the folder cannot be written.
        """
        mine = f"{first}_{last}_{secrets.token_hex(6)}.lock"
        with contextlib.ExitStack() as held:
            with locked(self._leases, wait_seconds=MUTEX_SECONDS):
                for other in sorted(self._leases.iterdir()):
                    theirs = _LEASE.fullmatch(other.name)
                    if theirs and int(theirs["first"]) <= last and first <= int(theirs["last"]):
                        self._remove_if_free(other, f"frames {theirs['first']} to {theirs['last']}")
                held.callback(_remove, self._leases / mine)
                held.enter_context(locked(self._leases, name=mine))
            yield

    def movie_lease(self) -> contextlib.AbstractContextManager[None]:
        """Hold the movie while a ``with`` block runs. Raises as ``lease`` does."""
        return locked(self._leases, busy=self._busy("the movie"), name="movie.lock")

    def record(self, file: Path) -> Record | None:
        """The record of a frame's picture or of the movie. None: there is none, or it is damaged, which costs only
        time."""
        path = self._record_file(file)
        try:
            content = read_json(path, error=JobError, missing=None)
            return None if content is None else validated(Record, content, str(path), JobError)
        except JobError as damage:
            log.warning("%s Warpnoise makes the frame again.", damage)
            return None

    def is_finished(
        self, file: Path, made_of: str, *, preview: bool = False, sha256: Callable[[Path], str] = file_sha256
    ) -> bool:
        """Whether ``file`` is finished: its record names ``made_of``, and it has the recorded digest.

        Args:
            made_of: the digest of all inputs of the file.
            preview: whether a preview counts as finished.
            sha256: digests the file. It raises OSError if the file cannot be read.
        """
        record = self.record(file)
        if record is None or record.made_of != made_of or (record.preview and not preview):
            return False
        try:
            return sha256(file) == record.sha256
        except OSError:
            return False

    def write_frame(self, frame: int, picture: npt.NDArray[np.uint16], made_of: str, *, preview: bool = False) -> None:
        """Write the picture, then its record.

        Args:
            picture: (h, w, 3 or 4) uint16.
            made_of: the digest of all inputs of the picture.

        Raises:
            JobError: the folder is gone, or the record cannot be written.
            MediaError: the picture cannot be written.
        """
        from warpnoise.media.png import encode_png

        file = self.frame(frame)
        self._check_there(file)
        data = encode_png(file, picture)
        write_bytes(file, data)
        self._write_record(file, Record(made_of=made_of, sha256=hashlib.sha256(data).hexdigest(), preview=preview))

    def write_movie(self, pictures: Iterable[npt.NDArray[np.uint16]], rate: Fraction, made_of: str) -> None:
        """Write the movie, then its record. Raises as ``write_frame`` does, and what ``pictures`` raises."""
        from warpnoise.media.movie import write_movie

        self._check_there(self.movie)
        write_movie(self.movie, pictures, rate)
        self._write_record(self.movie, Record(made_of=made_of, sha256=file_sha256(self.movie)))

    def _write_record(self, file: Path, record: Record) -> None:
        self._check_there(file)
        text = f"{record.model_dump_json(exclude_defaults=True)}\n"
        write_bytes(self._record_file(file), text.encode(), error=JobError)

    def _record_file(self, file: Path) -> Path:
        return self.folder / "records" / f"{file.stem}.json"

    def _check_there(self, file: Path) -> None:
        # Files are written with their folders: one that was deleted must not come back with a part of its files.
        if not file.parent.is_dir():
            raise JobError(f"{file.parent} is gone: it was deleted or moved during the run. Run again.")

    @property
    def _leases(self) -> Path:
        return self.folder / "leases"

    def _busy(self, what: str) -> str:
        return f"Another process works on {what} of {self.folder}. Wait until it is done, or cancel it."

    def _remove_if_free(self, lease: Path, what: str) -> None:
        """Raises JobLockedError: somebody holds it."""
        try:
            with locked(lease.parent, busy=self._busy(what), name=lease.name):
                pass
        except JobLockedError:
            if lease.exists():
                raise
        _remove(lease)


def _remove(lease: Path) -> None:
    with contextlib.suppress(OSError):
        lease.unlink(missing_ok=True)
