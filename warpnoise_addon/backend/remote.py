"""A job on a remote server: sends the folder, runs the job, and fetches frames as they are finished.

The frames go to ``results/NAME/`` in the form in which the backend writes it. Each comes with its record, so a later
run with the same frames and settings, here or on the server, recognizes it as finished.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from ..atomic import atomic_write, replacing
from ..bounded_json import read_json
from ..child import never
from ..errors import BackendError, Cancelled, JobError, JobFolderError, Message, SettingsError, writing
from ..results import frame_path, result_folder, use_result
from ..settings import make_settings
from .answers import Job
from .client import NotModified
from .connection import Backend
from .picture_transfer import NotThePicture, check_png, largest_png
from .poll import JobRequest, run_job
from .upload import LocalJob, forget_upload, send_job

FETCHING_SECONDS = 1.0
"""For so long finished frames are fetched before the job is asked for again."""


def run_uploaded_job(
    backend: Backend,
    request: JobRequest,
    *,
    progress: Callable[[Job], None] = lambda job: None,
    cancelled: Callable[[], bool] = never,
    delete_after: bool = False,
) -> Job:
    """Like `run_job`, for a backend that takes uploads.

    Two stages are added, "uploading" and "downloading"; ``newest_frame`` is the newest that has come back. The caller
    holds the job folder's lock.

    Args:
        delete_after: have the server delete the frames in the end, unless they are not averaged yet. Without it they
            stay for some days, so that running again with other settings sends nothing again.

    Raises:
        what `run_job` raises, and
        JobFolderError: the folder cannot be read or written.
        BackendError: the server sent another file than the one requested.
    """
    preview = bool(request.get("preview"))
    job = LocalJob.read(Path(request["path"]), request.get("frames"))
    upload_id = send_job(backend, job, progress, cancelled)
    download: Download | None = None

    def fetch_finished(now: Job) -> None:
        nonlocal download
        until = time.monotonic() + FETCHING_SECONDS
        with contextlib.suppress(Cancelled):  # `run_job` tells the server
            if download is None and now["result"] is not None:
                download = Download(backend, job, now["id"], now["result"], cancelled, preview)
            if download is not None and now["newest_frame"] is not None:
                while not cancelled() and time.monotonic() < until and download.next(now["newest_frame"]):
                    pass
        progress(now | {"newest_frame": download.newest if download else None})

    body = {name: value for name, value in request.items() if name != "path"} | {"upload": upload_id}
    end = run_job(backend, body, progress=fetch_finished, cancelled=cancelled)
    if download is None:
        raise BackendError("the server did not name its result")
    try:
        while download.next():
            now = {"state": "running", "stage": "downloading", "seconds_left": None}
            progress(end | now | {"frames_done": download.fetched, "newest_frame": download.newest})
        if not preview:
            use_result(job.folder, download.folder.name)
            if download.fetched < len(job.wanted):
                missing = Message(
                    "the server keeps the frames and averages them once all frames of the shot are stylized there"
                )
                end |= {"warnings": [*end["warnings"], missing]}
                delete_after = False
            elif not download.fetch_movie():
                end |= {"warnings": [*end["warnings"], Message("the server made no movie")]}
    except Cancelled:
        raise Cancelled("cancelled while the frames were fetched; the others stay at the server for a while") from None
    if delete_after:
        forget_upload(backend, job.folder, upload_id)
    end |= {"stage": "finished", "newest_frame": download.newest, "seconds_left": 0.0}
    progress(end)
    return end


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
    """The digest in a record; None: the file is not finished, is a preview, or has no record."""
    try:
        content = read_json(record)
        digest, preview = content["made_of"], content.get("preview", False)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return digest if isinstance(digest, str) and _DIGEST.fullmatch(digest) and not preview else None
