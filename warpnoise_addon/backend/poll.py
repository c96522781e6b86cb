"""One job, from its POST to its end: polled, watched, cancelled."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from ..errors import BackendHungError, Cancelled, JobError
from .answers import check_job
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

    ``device`` and ``batch``: None leaves the choice to the backend. ``upload``: what ``path`` is called there, where it
    was sent. ``frames``: only these, as in ``1-9:2,20``. ``preview``: they are to be looked at, and no result is
    touched.
    """

    path: str
    settings: dict[str, Any] | None = None
    device: str | None = None
    batch: int | None = None
    upload: str = ""
    frames: str | None = None
    preview: bool = False

    @property
    def folder(self) -> dict[str, str]:
        """Its folder, as the interface names it."""
        return {"upload": self.upload} if self.upload else {"path": self.path}


@dataclass(frozen=True)
class JobView:
    """A job as the interface shows it. ``frames_kept``: of those done, the ones that an earlier run had finished.

    ``result``: the name of the result, once it is known.
    """

    id: str = ""
    state: str = "queued"
    stage: str = "loading"
    frames_done: int = 0
    frames_total: int = 0
    frames_kept: int = 0
    step: int = 0
    steps_total: int = 0
    seconds_left: float | None = None
    seconds_since_progress: float = 0.0
    newest_frame: int | None = None
    result: str | None = None
    warnings: tuple[str, ...] = ()
    error: dict[str, str] | None = None

    @classmethod
    def from_answer(cls, answer: dict[str, Any]) -> JobView:
        """Fields that a later backend adds are ignored; a missing id or state is an error. Raises BackendError."""
        check_job(answer)
        known = {f.name: answer[f.name] for f in fields(cls) if f.name in answer}
        known["warnings"] = tuple(known.get("warnings") or ())
        return cls(**known)

    @property
    def over(self) -> bool:
        return self.state in ("done", "failed", "cancelled")


def run_job(
    backend: Backend,
    request: JobRequest,
    *,
    progress: Callable[[JobView], None] = lambda view: None,
    cancelled: Callable[[], bool] = lambda: False,
    stall_seconds: float = STALL_SECONDS,
    cancel_seconds: float = CANCEL_SECONDS,
) -> JobView:
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
                request.folder, request.settings, request.device, request.batch, request.frames, request.preview
            ),
            # A backend that checks the job answers soon, and its job is cancelled then.
            cancelled=lambda: cancelled() and time.monotonic() - begun > CHECKING_SECONDS,
        )
    except Cancelled:
        backend.close()
        raise
    view = JobView.from_answer(answer)
    client, job_id = backend.client, view.id
    cancel_asked: float | None = None
    while True:
        progress(view)
        if view.over:
            return _end(view)
        now = time.monotonic()
        if cancel_asked is None and cancelled():
            cancel_asked = now
            view = JobView.from_answer(backend.ask(lambda: client.cancel(job_id)))
            continue
        if cancel_asked is not None and now - cancel_asked > cancel_seconds:
            backend.close()
            raise Cancelled(f"cancelled; the job did not stop within {cancel_seconds:.0f} s, so its process was ended")
        if view.state == "running" and view.seconds_since_progress > stall_seconds:
            backend.close()
            raise BackendHungError(
                f"the job made no progress for {view.seconds_since_progress:.0f} s, at {view.stage}, "
                f"frame {view.frames_done} of {view.frames_total}: it was given up. Finished frames stay"
            )
        time.sleep(POLL_SECONDS)
        with contextlib.suppress(Cancelled):  # it is asked to cancel the job now
            waiting = cancelled if cancel_asked is None else lambda: False
            view = JobView.from_answer(backend.ask(lambda: client.job(job_id), cancelled=waiting))


def _end(view: JobView) -> JobView:
    if view.state == "cancelled":
        raise Cancelled(f"cancelled; {view.frames_done} of {view.frames_total} frames are finished and stay")
    if view.state == "failed":
        error = view.error or {"message": "the backend gave no reason", "code": "error"}
        raise JobError(error["message"], error["code"])
    return view
