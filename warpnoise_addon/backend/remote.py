"""A job on a remote server: sends the folder, runs the job, and fetches results as they are finished."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from ..child import never
from ..errors import BackendError, Cancelled
from ..messages import Message
from ..results import use_result
from .answers import Job
from .connection import Backend
from .download import Download
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
        BackendError: what came is not what was asked for.
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
