"""A server's results on their way into the local job folder. Nothing but pictures of the right size is taken.

A frame's record, the digest of all that it was made of, comes with it: a later run here or there, on the same frames
with the same settings, keeps the frame. It is taken away before a frame is replaced, as the backend does it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import IO
from urllib.parse import quote

from ..atomic import atomic_write, replacing
from ..errors import BackendError, Cancelled, JobFolderError
from ..names import frame_name
from .client import NotModified
from .connection import Backend
from .received_png import NotThePicture, check_png, largest_png
from .upload import LocalJob

_LARGEST_MOVIE_FRAME = 3
"""Bytes a pixel: no movie is larger than its frames are unpacked."""
_DIGEST = re.compile(r"[0-9a-f]{16,128}")


class Results:
    """Fetches the frames of one job at the server, each at most once."""

    def __init__(
        self, backend: Backend, job: LocalJob, job_id: str, cancelled: Callable[[], bool], output: str = "stylized"
    ) -> None:
        """``output``: the folder that they come to, in the job folder."""
        self._backend, self._job, self._job_id, self._cancelled = backend, job, job_id, cancelled
        self._output = output
        self._waiting = list(job.wanted)
        self.newest: int | None = None
        """The frame that was fetched last."""

    @property
    def fetched(self) -> int:
        return len(self._job.wanted) - len(self._waiting)

    def next_until(self, newest: int | None) -> bool:
        """Fetch one frame of those that are finished: the job makes them in order, so all up to ``newest`` are.

        Returns whether there was one. Raises as ``fetch``.
        """
        if newest is None or not self._waiting or self._waiting[0] > newest:
            return False
        self.fetch(self._waiting[0])
        return True

    def next(self) -> bool:
        """The same, once all are finished."""
        return self.next_until(self._waiting[-1] if self._waiting else None)

    def fetch(self, frame: int) -> None:
        """Fetch a finished frame, unless it is the one that we have.

        Raises:
            BackendError: what came is not that picture.
            JobError, BackendDiedError, ...: as ``Backend.ask``.
            JobFolderError: it cannot be written.
            Cancelled: ``cancelled()`` was true.
        """
        name = frame_name(frame)

        def check(file: IO[bytes]) -> None:
            try:
                check_png(file, self._job.width, self._job.height)
            except NotThePicture as wrong:
                raise BackendError(f"frame {frame} from the server was not taken: {wrong}") from None

        target, record = f"{self._output}/{name}.png", f"records/{self._output}/{name}.json"
        self._fetch(f"frames/{frame}", target, record, largest_png(self._job.width, self._job.height), check)
        self._waiting.remove(frame)
        self.newest = frame

    def fetch_movie(self) -> None:
        """Fetch the movie. Raises as ``fetch``."""
        largest = len(self._job.frames) * self._job.width * self._job.height * _LARGEST_MOVIE_FRAME + (1 << 20)

        def check(file: IO[bytes]) -> None:
            file.seek(4)
            if file.read(4) != b"ftyp":
                raise BackendError("the movie from the server was not taken: it is not an MP4 file")

        self._fetch("movie", "stylized.mp4", "records/movie.json", largest, check)

    def _fetch(
        self, name: str, target_name: str, record_name: str, largest: int, check: Callable[[IO[bytes]], None]
    ) -> None:
        """Fetch to a file beside, which becomes the target where ``check`` raises nothing; with its record."""
        target, record = self._job.folder / target_name, Record(self._job.folder / record_name)
        path = f"/v1/jobs/{quote(self._job_id, safe='')}/{name}"
        have = record.read() if target.is_file() else None

        def attempt() -> None:
            with replacing(target) as file:
                made_of = self._backend.client.fetch(path, file, largest, have, self._stop_if_cancelled)
                check(file)
                record.remove()
            if _DIGEST.fullmatch(made_of):
                record.write(made_of)

        try:
            for folder in (target.parent, (self._job.folder / record_name).parent):
                folder.mkdir(parents=True, exist_ok=True)
            self._backend.ask(attempt, cancelled=self._cancelled)
        except NotModified:
            pass
        except OSError as error:
            raise JobFolderError(f"{target} cannot be written: {error.strerror}") from None

    def _stop_if_cancelled(self) -> None:
        if self._cancelled():
            raise Cancelled("cancelled while the frames were fetched; the others stay at the server for a while")


class Record:
    """A file that says of a finished result the digest of all that it was made of."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> str | None:
        """The digest, or None: the result is not finished, or nobody knows."""
        try:
            digest = json.loads(self._path.read_bytes())["digest"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return digest if isinstance(digest, str) and _DIGEST.fullmatch(digest) else None

    def write(self, digest: str) -> None:
        """The result is finished. Raises OSError."""
        atomic_write(self._path, json.dumps({"digest": digest}) + "\n")

    def remove(self) -> None:
        """The result is not finished, before it is replaced. Raises OSError."""
        self._path.unlink(missing_ok=True)
