"""One job on a server elsewhere: the folder is sent, the job run, and its results fetched as they are finished."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..errors import BackendError, Cancelled, JobError
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
    cancelled: Callable[[], bool] = lambda: False,
    delete_after: bool = False,
) -> Job:
    """Like `run_job`, for a backend that takes uploads.

    Two stages are added, "uploading" and "downloading"; ``newest_frame`` is the newest that has come back. The caller
    holds the job folder's lock.

    Args:
        delete_after: have the server delete the frames in the end. Without it they stay for some days, so that
            running again with other settings sends nothing again.

    Raises:
        what `run_job` raises, and
        JobFolderError: the folder cannot be read or written.
        BackendError: what came is not what was asked for.
    """
    job = LocalJob.read(Path(request.path), request.frames)
    upload_id = send_job(backend, job, progress, cancelled)
    download: Download | None = None

    def follow(now: Job) -> None:
        nonlocal download
        until = time.monotonic() + FETCHING_SECONDS
        with contextlib.suppress(Cancelled):  # `run_job` tells the server
            if download is None and now["result"] is not None:
                download = Download(backend, job, now["id"], now["result"], cancelled, request.preview)
            while (
                download and not cancelled() and time.monotonic() < until and download.next_until(now["newest_frame"])
            ):
                pass
        progress(now | {"newest_frame": download.newest if download else None})

    end = run_job(backend, replace(request, upload=upload_id), progress=follow, cancelled=cancelled)
    if download is None:
        raise BackendError("the server did not name its result")
    end |= {"stage": "downloading", "state": "running", "seconds_left": None}
    begun, before = time.monotonic(), download.fetched
    while download.next():
        done = download.fetched
        pace = (time.monotonic() - begun) / (done - before)
        left = pace * (len(job.wanted) - done)
        progress(end | {"frames_done": done, "newest_frame": download.newest, "seconds_left": left})
    end |= {"state": "done", "stage": "finished", "newest_frame": download.newest, "seconds_left": 0.0}
    try:
        if not request.preview:
            use_result(job.folder, download.folder.name)
            download.fetch_movie()
    except JobError as error:
        if error.code != "not_found":
            raise
        end |= {"warnings": [*end["warnings"], Message("the server made no movie")]}
    if delete_after:
        forget_upload(backend, job.folder, upload_id)
    progress(end)
    return end
