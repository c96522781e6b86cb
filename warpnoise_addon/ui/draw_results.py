"""Draws the results of the scene's job folder, and buttons for the one in use."""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path

import bpy

from ..results import Result, current_folder, list_results
from ..settings import describe
from .make_request import existing_output
from .texts import iface


def draw_results(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    job = existing_output(context.scene, "results")
    if job is not None:
        _draw_list(layout, job)
    column = layout.column()
    column.operator("warpnoise.add_to_compositor", icon="NODE_COMPOSITING")
    column.operator("warpnoise.add_strip", icon="SEQUENCE")
    column.operator("warpnoise.show_frames", icon="IMAGE_DATA")
    column.operator("warpnoise.open_movie", icon="PLAY")


def _results(job: Path) -> list[Result]:
    """Those of the folder, read again only when something of it has changed: this is asked for whenever it is drawn."""
    changed = []
    for path in (job / "results", *(job / "results").glob("*/frames")):
        with contextlib.suppress(OSError):
            changed.append((path, path.stat().st_mtime_ns))
    return _read(job, tuple(changed))


@functools.lru_cache(1)
def _read(job: Path, changed: tuple[tuple[Path, int], ...]) -> list[Result]:
    return list_results(job)


def _draw_list(layout: bpy.types.UILayout, job: Path) -> None:
    """All results, the one in use marked; nothing where there are none."""
    results, current = _results(job), current_folder(job)
    if not results:
        return
    column = layout.box().column(align=True)
    for result in results:
        row = column.row(align=True)
        row.label(text=f"{describe(result.settings, iface)}  ({result.frames})", icon="RENDER_RESULT", translate=False)
        if result.folder == current:
            row.label(text="", icon="CHECKMARK")
            continue
        row.operator("warpnoise.use_result", text="", icon="FILE_REFRESH").result = result.name
        row.operator("warpnoise.remove_result", text="", icon="X").result = result.name
