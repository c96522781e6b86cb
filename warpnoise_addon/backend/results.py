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

    def __init__(self, backend: Backend, job: LocalJob, job_id: str, cancelled: Callable[[], bool]) -> None:
        self._backend, self._job, self._job_id, self._cancelled = backend, job, job_id, cancelled
        self._records = Records(job.folder)
        self._waiting = list(job.frames)
        self.newest: int | None = None
        """The frame that was fetched last."""

    @property
    def fetched(self) -> int:
        return len(self._job.frames) - len(self._waiting)

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
        target = self._job.folder / "stylized" / f"{frame_name(frame)}.png"
        have = self._records.get(frame) if target.is_file() else None
        largest = largest_png(self._job.width, self._job.height)

        def take(file: IO[bytes], made_of: str) -> None:
            try:
                check_png(file, self._job.width, self._job.height)
            except NotThePicture as wrong:
                raise BackendError(f"frame {frame} from the server was not taken: {wrong}") from None
            self._records.forget(frame)

        made_of = self._fetch(f"frames/{frame}", target, largest, have, take)
        if made_of is not None and _DIGEST.fullmatch(made_of):
            self._records.record(frame, made_of)
        self._waiting.remove(frame)
        self.newest = frame

    def fetch_movie(self) -> None:
        """Fetch the movie. Raises as ``fetch``."""
        largest = len(self._job.frames) * self._job.width * self._job.height * _LARGEST_MOVIE_FRAME + (1 << 20)

        def take(file: IO[bytes], made_of: str) -> None:
            file.seek(4)
            if file.read(4) != b"ftyp":
                raise BackendError("the movie from the server was not taken: it is not an MP4 file")

        self._fetch("movie", self._job.folder / "stylized.mp4", largest, None, take)

    def _fetch(
        self, name: str, target: Path, largest: int, have: str | None, take: Callable[[IO[bytes], str], None]
    ) -> str | None:
        """Fetch to a file beside, which becomes ``target`` where ``take`` raises nothing; None: we have it."""
        beside = target.with_name(f".{target.name}.part")
        path = f"/v1/jobs/{quote(self._job_id, safe='')}/{name}"

        def attempt() -> str | None:
            with beside.open("w+b") as file:
                try:
                    made_of = self._backend.client.fetch(path, file, largest, have, self._stop_if_cancelled)
                except NotModified:
                    return None
                take(file, made_of)
            beside.replace(target)
            return made_of

        try:
            target.parent.mkdir(exist_ok=True)
            return self._backend.ask(attempt, cancelled=self._cancelled)
        except OSError as error:
            raise JobFolderError(f"{target} cannot be written: {error.strerror}") from None
        finally:
            beside.unlink(missing_ok=True)

    def _stop_if_cancelled(self) -> None:
        if self._cancelled():
            raise Cancelled("cancelled while the frames were fetched; the others stay at the server for a while")


class Records:
    """``JOB/stylized/frames.json``: for each finished frame the digest of all that it was made of."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "stylized" / "frames.json"

    def get(self, frame: int) -> str | None:
        """The digest, or None: the frame is not finished, or nobody knows."""
        return self._read().get(str(frame))

    def record(self, frame: int, digest: str) -> None:
        """The frame is finished. Raises JobFolderError."""
        self._write({**self._read(), str(frame): digest})

    def forget(self, frame: int) -> None:
        """The frame is not finished, before it is replaced. Raises JobFolderError."""
        known = self._read()
        if known.pop(str(frame), None) is not None:
            self._write(known)

    def _read(self) -> dict[str, str]:
        try:
            content = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def _write(self, content: dict[str, str]) -> None:
        beside = self._path.with_name(f".{self._path.name}.part")
        try:
            beside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
            beside.replace(self._path)
        except OSError as error:
            raise JobFolderError(f"{self._path} cannot be written: {error.strerror}") from None
