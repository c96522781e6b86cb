"""One job, from its POST to its end: polled, watched, cancelled. Downloads are polled the same way."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

from ..child import TimedOut, never
from ..errors import BackendHungError, Cancelled, JobError
from .answers import ENDS, Job, check, read_job
from .client import WORK_SECONDS
from .connection import Backend

POLL_SECONDS = 0.25
CANCEL_SECONDS = 60.0
"""How long a cancelled job may take to stop: one denoising step of a large model on a slow machine."""
CHECKING_SECONDS = 5.0
"""How long a cancelled run waits for a backend that checks its job."""
STALL_SECONDS = 1800.0
"""A job without any progress for this long is given up, though its process answers."""

JobRequest = dict[str, Any]
"""The body of ``POST /v2/jobs``; what is None or missing leaves the choice to the backend."""


def follow(
    backend: Backend,
    kind: str,
    answer: dict[str, Any],
    cancelled: Callable[[], bool],
    cancel_seconds: float = CANCEL_SECONDS,
) -> Iterator[dict[str, Any]]:
    """Yield a "job" or a "download" each time that it was asked for, until it has ended, beginning with ``answer``.

    It is asked once to cancel when ``cancelled()`` is true.

    Raises TimedOut: it has not ended ``cancel_seconds`` after that.
    """
    calls, asked = f"{kind}s", None
    while True:
        check(kind, answer)
        yield answer
        if answer["state"] in ENDS:
            return
        if asked is None and cancelled():
            asked = time.monotonic()
            answer = backend.call("POST", calls, answer["id"], "cancel")
            continue
        if asked is not None and time.monotonic() - asked > cancel_seconds:
            raise TimedOut
        time.sleep(POLL_SECONDS)
        with contextlib.suppress(Cancelled):  # it is asked to cancel now
            answer = backend.call("GET", calls, answer["id"], cancelled=cancelled if asked is None else never)


def run_job(
    backend: Backend,
    request: JobRequest,
    *,
    progress: Callable[[Job], None] = lambda job: None,
    cancelled: Callable[[], bool] = never,
    cancel_seconds: float = CANCEL_SECONDS,
) -> Job:
    """Give the job to the backend and wait for its end; ``progress`` is called after each answer, in this thread.

    Raises:
        JobError: the backend refused it, or it failed there.
        BackendDiedError, BackendHungError: the process ended, does not answer, or makes no progress.
        Cancelled: ``cancelled()`` was true; the job has stopped, or its process was ended.
    """
    begun = time.monotonic()

    def given_up() -> bool:  # a backend that checks the job answers soon, and its job is cancelled then
        return cancelled() and time.monotonic() - begun > CHECKING_SECONDS

    try:
        answer = backend.call("POST", "jobs", body=request, seconds=WORK_SECONDS, cancelled=given_up)
    except Cancelled:
        backend.close()
        raise
    try:
        for each in follow(backend, "job", answer, cancelled, cancel_seconds):
            job = read_job(each)
            progress(job)
            if job["state"] == "running" and job["seconds_since_progress"] > STALL_SECONDS:
                backend.close()
                raise BackendHungError(
                    "the job made no progress for {seconds_since_progress:.0f} s, at {stage}, frame {frames_done} of "
                    "{frames_total}, and was stopped. Finished frames stay",
                    **job,
                )
    except TimedOut:
        backend.close()
        raise Cancelled(
            "cancelled; the job did not stop within {cancel_seconds:.0f} s, so its process was ended",
            cancel_seconds=cancel_seconds,
        ) from None
    if job["state"] == "cancelled":
        raise Cancelled("cancelled; {frames_done} of {frames_total} frames are finished and stay", **job)
    if job["state"] == "failed":
        error = job["error"] or {"message": "the backend gave no reason", "code": "error"}
        raise JobError(error["message"], error["code"])
    return job
