"""Sends a job folder through the backend, and reports the progress as a run's status. Called from any thread."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

from ..backend import Backend, Job, run_job, run_uploaded_job
from ..backend.answers import check
from ..backend.client import WORK_SECONDS
from ..errors import BackendDiedError, BackendHungError, JobError, Message, SettingsError, WarpnoiseError, from_backend
from ..export.files import JobFolder
from ..frame_ranges import frames_text
from ..results import frame_path, result_folder
from . import model_facts
from .backends import BackendPool
from .request import StylizeRequest
from .status import Reporter

FRAME_COUNTS = ("frames_done", "frames_total", "frames_kept", "step", "steps_total", "seconds_left")
"""Fields of a job that a run's status has under the same names."""


def stylize(
    pool: BackendPool,
    request: StylizeRequest,
    reporter: Reporter,
    export: Callable[[], None],
    cancelled: Callable[[], bool],
) -> None:
    """One run. ``export`` renders the job folder: here, or in another Blender.

    Raises WarpnoiseError: the run failed or was cancelled.
    """
    if nothing_to_do(request, reporter):
        return
    acquire_backend(pool, request, reporter, cancelled)
    export()
    job = stylize_folder(pool, request, reporter, cancelled)
    request.record_finished()
    reporter.update(stage="done", **{name: job[name] for name in FRAME_COUNTS[:3]})


def run(reporter: Reporter, work: Callable[[], None]) -> None:
    """Do ``work``. The reporter's status has the outcome, also an error. An unexpected error's traceback is printed."""
    try:
        work()
        if not reporter.status.over:
            reporter.update(stage="done")
    except Exception as error:
        changes = failure(error)
        if changes["exit_status"] == 1:
            traceback.print_exc()
        reporter.update(**changes)


def acquire_backend(
    pool: BackendPool, request: StylizeRequest, reporter: Reporter, cancelled: Callable[[], bool]
) -> Backend:
    """A backend, before anything is rendered: a render of hours shall not end in a missing backend or model.

    Raises:
        BackendError, SettingsError, Cancelled: see `BackendPool.acquire`.
        JobError: it does not have the model that is asked for.
    """
    reporter.update(stage="backend", frames_total=0)
    backend = pool.acquire(request.backend, cancelled, reporter.show_output)
    reporter.update(backend=backend.name, device=device_text(backend.status))
    if backend.client.address.readable_by_others:
        reporter.warn(
            Message(
                "the token and the frames travel unencrypted to {address}: others on the way can read them",
                address=backend.client.address,
            )
        )
    if request.color_frames is not None and not request.preview and backend.takes_uploads:
        raise SettingsError(
            "some of the frames: a server that takes uploads stylizes whole animations only. Use a backend on "
            "this machine, which shares the job folder with the others"
        )
    settings = dict(request.settings)
    # It looks at the model, and at all that is to be loaded with it.
    body = {"settings": settings, "size": request.frame_size, "device": request.backend.device}
    body |= request.backend.memory
    try:
        answer = backend.call("POST", "check", body=body, seconds=WORK_SECONDS, cancelled=cancelled)
    except JobError as error:
        if error.code == "base":
            model_facts.without_base.add(settings["model"])
        raise
    check("check of settings", answer)
    model_facts.remember_model(settings["model"], answer)
    reporter.warn(*map(from_backend, answer.get("warnings", ())))
    return backend


def stylize_folder(
    pool: BackendPool, request: StylizeRequest, reporter: Reporter, cancelled: Callable[[], bool]
) -> Job:
    """Have the job folder stylized. A backend that died or hangs is discarded: the next run starts a new one."""
    backend = pool.acquire(request.backend, cancelled)
    body = {
        "path": str(request.folder),
        "settings": dict(request.settings),
        "device": request.backend.device,
        "batch": None if request.preview else request.backend.batch,
        "frames": None if request.color_frames is None else frames_text(request.color_frames),
        "preview": request.preview,
        **request.backend.memory,
    }

    def progress(job: Job) -> None:
        changes = {name: job[name] for name in FRAME_COUNTS}
        if job["state"] == "queued":
            changes["stage"] = "queued"
        elif job["stage"] != "finished" and job["state"] == "running":
            changes["stage"] = job["stage"]
            if job["stage"] in ("uploading", "downloading") and job["stage"] == reporter.status.stage:
                changes["seconds_left"] = reporter.seconds_left(job["frames_done"], job["frames_total"])
        if job["result"] is not None:
            changes["result"] = result_folder(request.folder, job["result"])
            if job["newest_frame"] is not None:
                changes["newest"] = frame_path(changes["result"], job["newest_frame"])
        reporter.update(**changes)
        reporter.warn(*job["warnings"])

    try:
        if not backend.takes_uploads:
            return run_job(backend, body, progress=progress, cancelled=cancelled)
        with JobFolder(request.folder):  # what is sent does not change meanwhile
            return run_uploaded_job(
                backend, body, progress=progress, cancelled=cancelled, delete_after=request.backend.delete_after
            )
    except (BackendDiedError, BackendHungError):
        pool.discard()
        raise


def nothing_to_do(request: StylizeRequest, reporter: Reporter) -> bool:
    """Whether the run ends before it has begun, because its chunk is empty; then it is done, and says why."""
    if not request.nothing_to_do:
        return False
    reporter.warn(
        Message(
            "this chunk of frames {frames} is empty: there are more chunks than frames",
            frames=frames_text(request.frames),
        )
    )
    reporter.update(stage="done")
    return True


def device_text(status: dict[str, Any]) -> str:
    """The device of a backend's status, with its memory."""
    device, name = str(status.get("device", "")), str(status.get("device_name", ""))
    total, free = status.get("memory_total"), status.get("memory_free")
    device = f"{device} ({name})" if name else device
    if not total or free is None:
        return device
    return Message(
        "{device}, {free:.1f} of {total:.1f} GB of memory free", device=device, free=free / 2**30, total=total / 2**30
    )


def failure(error: BaseException) -> dict[str, Any]:
    """The status fields of a run that ended with ``error``."""
    if isinstance(error, WarpnoiseError):
        stage = "cancelled" if error.exit_status == 130 else "failed"
        return {"stage": stage, "error": str(error), "exit_status": error.exit_status}
    return {"stage": "failed", "error": f"{type(error).__name__}: {error}", "exit_status": 1}
