"""A run in place, for a Blender in background mode. It blocks, and reports its progress to a function."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import bpy

from ..errors import Cancelled
from ..export import export_job
from .backends import BackendPool
from .request import StylizeRequest
from .status import Reporter, Status
from .steps import nothing_to_do, run, stylize


def export_blocking(
    context: bpy.types.Context, request: StylizeRequest, reporter: Reporter, cancelled: Callable[[], bool]
) -> None:
    """Render the job folder. Raises what `export.export_job` raises, and Cancelled between two frames."""
    if nothing_to_do(request, reporter):
        return
    total = len(request.rendered_frames)
    reporter.update(stage="exporting", frames_total=total)
    with contextlib.closing(export_job(context, request)) as frames:
        for item in frames:
            if item.frames_done == 1:
                request.record_begun()
            left = reporter.seconds_left(item.frames_done, item.frames_total)
            newest = item.color or reporter.status.newest
            reporter.update(
                frames_done=item.frames_done, frames_total=item.frames_total, newest=newest, seconds_left=left
            )
            reporter.warn(*item.warnings)
            if cancelled():
                raise Cancelled(
                    "cancelled while rendering; {frames_done} of {frames_total} frames are finished and stay",
                    frames_done=item.frames_done,
                    frames_total=item.frames_total,
                )


def stylize_blocking(
    context: bpy.types.Context,
    pool: BackendPool,
    request: StylizeRequest,
    tell: Callable[[Status], None],
    cancelled: Callable[[], bool],
) -> Status:
    """Render and stylize. How it ended, errors too, is in the status that is returned."""
    reporter = Reporter(tell)

    def export() -> None:
        export_blocking(context, request, reporter, cancelled)

    run(reporter, lambda: stylize(pool, request, reporter, export, cancelled))
    return reporter.status
