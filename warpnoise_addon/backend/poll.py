"""One job, from its POST to its end: polled, watched, cancelled."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import BackendHungError, Cancelled, JobError
from .answers import ENDS, Job, read_job
from .connection import Backend

POLL_SECONDS = 0.25
CANCEL_SECONDS = 60.0
"""How long a cancelled job may take to stop: one denoising step of a large model on a slow machine."""
CHECKING_SECONDS = 5.0
"""How long a cancelled run waits for a backend that checks its job."""
STALL_SECONDS = 1800.0
"""A job without any progress for this long is given up, though its process answers."""


@dataclass(frozen=True)
class JobRequest:
    """``settings`` replace those of job.json field by field.

    ``device``, ``batch`` and ``memory``: what is None or missing leaves the choice to the backend. ``upload``: what
    ``path`` is called there, where it was sent. ``frames``: only these, as in ``1-9:2,20``. ``preview``: they are to be
    looked at, and no result is touched.
    """

    path: str
    settings: dict[str, Any] | None = None
    device: str | None = None
    batch: int | None = None
    upload: str = ""
    frames: str | None = None
    preview: bool = False
    memory: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> dict[str, str]:
        """Its folder, as the interface names it."""
        return {"upload": self.upload} if self.upload else {"path": self.path}


def run_job(
    backend: Backend,
    request: JobRequest,
    *,
    progress: Callable[[Job], None] = lambda job: None,
    cancelled: Callable[[], bool] = lambda: False,
    stall_seconds: float = STALL_SECONDS,
    cancel_seconds: float = CANCEL_SECONDS,
) -> Job:
    """Give the job to the backend and wait for its end; ``progress`` is called after each answer, in this thread.

    Raises:
        JobError: the backend refused it, or it failed there.
        BackendDiedError, BackendHungError: the process ended, does not answer, or makes no progress.
        Cancelled: ``cancelled()`` was true; the job has stopped, or its process was ended.
    """
    begun = time.monotonic()
    try:
        answer = backend.ask(
            lambda: backend.client.submit(
                request.folder,
                request.settings,
                request.device,
                request.batch,
                request.frames,
                request.preview,
                request.memory,
            ),
            # A backend that checks the job answers soon, and its job is cancelled then.
            cancelled=lambda: cancelled() and time.monotonic() - begun > CHECKING_SECONDS,
        )
    except Cancelled:
        backend.close()
        raise
    job = read_job(answer)
    client, job_id = backend.client, job["id"]
    cancel_asked: float | None = None
    while True:
        progress(job)
        if job["state"] in ENDS:
            return _end(job)
        now = time.monotonic()
        if cancel_asked is None and cancelled():
            cancel_asked = now
            job = read_job(backend.ask(lambda: client.cancel(job_id)))
            continue
        if cancel_asked is not None and now - cancel_asked > cancel_seconds:
            backend.close()
            raise Cancelled(
                "cancelled; the job did not stop within {cancel_seconds:.0f} s, so its process was ended",
                cancel_seconds=cancel_seconds,
            )
        if job["state"] == "running" and job["seconds_since_progress"] > stall_seconds:
            backend.close()
            raise BackendHungError(
                "the job made no progress for {seconds_since_progress:.0f} s, at {stage}, frame {frames_done} of "
                "{frames_total}, and was stopped. Finished frames stay",
                seconds_since_progress=job["seconds_since_progress"],
                stage=job["stage"],
                frames_done=job["frames_done"],
                frames_total=job["frames_total"],
            )
        time.sleep(POLL_SECONDS)
        with contextlib.suppress(Cancelled):  # it is asked to cancel the job now
            waiting = cancelled if cancel_asked is None else lambda: False
            job = read_job(backend.ask(lambda: client.job(job_id), cancelled=waiting))


def _end(job: Job) -> Job:
    if job["state"] == "cancelled":
        raise Cancelled(
            "cancelled; {frames_done} of {frames_total} frames are finished and stay",
            frames_done=job["frames_done"],
            frames_total=job["frames_total"],
        )
    if job["state"] == "failed":
        error = job["error"] or {"message": "the backend gave no reason", "code": "error"}
        raise JobError(error["message"], error["code"])
    return job
