"""One job on a server elsewhere: the folder is sent, the job run, and its results fetched as they are finished."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..errors import BackendError, JobError
from .connection import Backend
from .results import Results
from .run import JobRequest, JobView, run_job
from .upload import LocalJob, forget_upload, send_job

FETCHING_SECONDS = 1.0
"""For so long finished frames are fetched before the job is asked for again."""


def run_uploaded_job(
    backend: Backend,
    request: JobRequest,
    *,
    progress: Callable[[JobView], None] = lambda view: None,
    cancelled: Callable[[], bool] = lambda: False,
    delete_after: bool = False,
) -> JobView:
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
    output = "preview" if request.preview else "stylized"
    upload_id = send_job(backend, job, progress, cancelled)
    results: Results | None = None

    def follow(view: JobView) -> None:
        nonlocal results
        if results is None:
            results = Results(backend, job, view.id, cancelled, output)
        until = time.monotonic() + FETCHING_SECONDS
        while not cancelled() and time.monotonic() < until and results.next_until(view.newest_frame):
            pass
        progress(replace(view, newest_frame=results.newest))

    view = run_job(backend, replace(request, upload=upload_id), progress=follow, cancelled=cancelled)
    if results is None:  # `run_job` has told of at least one answer
        raise BackendError("the server never said how the job is")
    view = replace(view, stage="downloading", state="running", seconds_left=None)
    begun, before = time.monotonic(), results.fetched
    while results.next():
        done = results.fetched
        pace = (time.monotonic() - begun) / (done - before)
        left = pace * (len(job.wanted) - done)
        progress(replace(view, frames_done=done, newest_frame=results.newest, seconds_left=left))
    view = replace(view, state="done", stage="finished", newest_frame=results.newest, seconds_left=0.0)
    try:
        if not request.preview:
            results.fetch_movie()
    except JobError as error:
        if error.code != "not_found":
            raise
        view = replace(view, warnings=(*view.warnings, "the server made no movie"))
    if delete_after:
        forget_upload(backend, job.folder, upload_id)
    progress(view)
    return view
