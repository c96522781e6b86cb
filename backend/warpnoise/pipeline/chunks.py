"""Key frames and segments of a shot, for callers that divide the work in advance."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from warpnoise.job import Settings, Shot
from warpnoise.pipeline.made_of import effective
from warpnoise.pipeline.plan import Plan, make_plan
from warpnoise.sdedit import ModelFolder

log = logging.getLogger(__name__)


def key_frames(
    shot: Shot,
    settings: Settings,
    frames: Sequence[int],
    *,
    model: str | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Plan | None:
    """The plan by which ``stylize`` makes ``frames`` with these settings; None where nothing is carried.

    Raises:
        SettingsError, ModelError, JobError, MediaError, Cancelled: as ``stylize``.
    """
    chosen = effective(settings, ModelFolder.open(model or settings.model))
    return make_plan(shot, chosen, max(frames), log.warning, cancelled)


def whole_segments(
    shot: Shot, settings: Settings, frames: Sequence[int] | None = None, *, model: str | None = None
) -> list[list[int]]:
    """The units of chunks: ``frames`` (None: all) by segments, or each alone where nothing is carried."""
    wanted = shot.frames if frames is None else frames
    plan = key_frames(shot, settings, wanted, model=model)
    if plan is None:
        return [[frame] for frame in wanted]
    return [part for segment in plan.segments() if (part := [frame for frame in segment if frame in set(wanted)])]
