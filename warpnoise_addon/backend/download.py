"""Fetches a server's results into the local job folder. Only pictures of the right size are accepted.

They go to ``results/NAME/`` in the form in which the backend writes it. Each frame comes with its record, so a later
run with the same frames and settings, here or on the server, recognizes it as finished.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import IO

from ..atomic import atomic_write, replacing
from ..bounded_json import read_json
from ..errors import BackendError, JobError, JobFolderError, SettingsError, writing
from ..results import frame_path, result_folder
from ..settings import make_settings
from .client import NotModified
from .connection import Backend
from .received_png import NotThePicture, check_png, largest_png
from .upload import LocalJob

_LARGEST_MOVIE_FRAME = 3
"""Bytes a pixel: no movie is larger than its frames are unpacked."""
_DIGEST = re.compile(r"[0-9a-f]{16,128}")


class Download:
    """Fetches the result of one job at the server: its settings at once, then each frame at most once.

    Raises:
        BackendError: what came are not settings, or the name is not a result's.
        JobFolderError: the folder cannot be written.
    """

    def __init__(
        self,
        backend: Backend,
        job: LocalJob,
        job_id: str,
        result: str,
        cancelled: Callable[[], bool],
        preview: bool = False,
    ) -> None:
        self._backend, self._job, self._job_id, self._cancelled = backend, job, job_id, cancelled
        self._preview = preview
        self._waiting = list(job.wanted)
        self.newest: int | None = None
        """The frame that was fetched last."""
        try:
            self.folder = result_folder(job.folder, result)
        except JobFolderError as error:
            raise BackendError(str(error)) from None
        info = backend.call("GET", "jobs", job_id, "settings", cancelled=cancelled)
        try:
            self._accumulates = bool(make_settings(**info["settings"])["accumulation"]) and not preview
        except (KeyError, TypeError, SettingsError) as error:
            raise BackendError("the settings from the server were rejected: {error}", error=error) from None
        with writing(self.folder):
            for part in ("frames", "records", "leases"):
                (self.folder / part).mkdir(parents=True, exist_ok=True)
            atomic_write(self.folder / "settings.json", json.dumps(info, indent=1) + "\n")

    @property
    def fetched(self) -> int:
        """The number of frames that have arrived."""
        return len(self._job.wanted) - len(self._waiting)

    def next(self, newest: int | None = None) -> bool:
        """Fetch a frame, unless it is the one that we have; whether there was one to fetch.

        Args:
            newest: the frame that the running job finished last; None: all are finished. A key frame is finished before
                frames that come earlier, which are fetched later. With accumulation, frames may still be missing then:
                they are averaged once all frames of the shot are stylized.

        Raises:
            BackendError: what came is not that picture.
            JobError, BackendDiedError, ...: as ``Backend.ask``.
            JobFolderError: it cannot be written.
            Cancelled: ``cancelled()`` was true.
        """
        if not self._waiting or (newest is not None and self._waiting[0] > newest):
            return False
        frame, width, height = self._waiting[0], self._job.width, self._job.height

        def check(file: IO[bytes]) -> None:
            try:
                check_png(file, width, height)
            except NotThePicture as wrong:
                raise BackendError(
                    "frame {frame} from the server was rejected: {wrong}", frame=frame, wrong=wrong
                ) from None

        try:
            self._fetch(frame_path(self.folder, frame), largest_png(width, height), check, "frames", str(frame))
        except JobError as error:
            if error.code != "not_found" or (newest is None and not self._accumulates):
                raise
            return False
        self.newest = self._waiting.pop(0)
        return True

    def fetch_movie(self) -> bool:
        """Fetch the movie; whether there is one. Raises as ``next``."""
        largest = len(self._job.frames) * self._job.width * self._job.height * _LARGEST_MOVIE_FRAME + (1 << 20)

        def check(file: IO[bytes]) -> None:
            file.seek(4)
            if file.read(4) != b"ftyp":
                raise BackendError("the movie from the server was rejected: it is not an MP4 file")

        try:
            self._fetch(self.folder / "movie.mp4", largest, check, "movie")
        except JobError as error:
            if error.code != "not_found":
                raise
            return False
        return True

    def _fetch(self, target: Path, largest: int, check: Callable[[IO[bytes]], None], *name: str) -> None:
        """Fetch the file of that name in the interface where ``check`` raises nothing, then write its record."""
        record = self.folder / "records" / f"{target.stem}.json"
        parts = ("jobs", self._job_id, *name)
        have = _made_of(record) if target.is_file() else None

        def attempt() -> None:
            with replacing(target) as file:

                def save(block: bytes) -> None:
                    with writing(target):  # here: the client takes an OSError for the connection's
                        file.write(block)

                came = self._backend.client.fetch(parts, save, largest, have, self._cancelled)
                check(file)
            if _DIGEST.fullmatch(came.tag):
                content = {"made_of": came.tag, "sha256": came.sha256}
                atomic_write(record, json.dumps(content | ({"preview": True} if self._preview else {})) + "\n")

        with writing(target), contextlib.suppress(NotModified):
            self._backend.ask(attempt, cancelled=self._cancelled)


def _made_of(record: Path) -> str | None:
    """The digest in a record; None: the file is not finished, is a preview, or nobody knows."""
    try:
        content = read_json(record)
        digest, preview = content["made_of"], content.get("preview", False)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return digest if isinstance(digest, str) and _DIGEST.fullmatch(digest) and not preview else None
