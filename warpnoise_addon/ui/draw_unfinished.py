"""Draws the offer to continue an interrupted run."""

from __future__ import annotations

import functools
from pathlib import Path

import bpy

from ..frame_ranges import frames_text
from ..stylize.unfinished import RECORD, Unfinished, unfinished
from .properties import write_settings
from .texts import draw_text, iface, letters_in


def draw_unfinished(layout: bpy.types.UILayout, context: bpy.types.Context, job: Path) -> None:
    """Draws how far an interrupted run came, and a button, if there is one."""
    found = _unfinished(job)
    if found is None:
        return
    box = layout.box()
    text = "Interrupted: {rendered} of {total} frames are rendered, {stylized} stylized"
    text = iface(text, rendered=found.rendered, total=found.total, stylized=found.stylized)
    draw_text(box, text, icon="INFO", width=letters_in(context))
    go_on = box.operator("warpnoise.stylize", text="Continue", icon="PLAY")
    go_on.frames = frames_text(found.frames)
    go_on.keep_existing = True
    write_settings(go_on, found.settings)


def _unfinished(job: Path) -> Unfinished | None:
    """Read again only when the folder has changed: this is asked for whenever it is drawn."""
    try:
        return _read(job, tuple((job / part).stat().st_mtime_ns for part in ("records", RECORD)))
    except OSError:
        return None


@functools.lru_cache(1)
def _read(job: Path, changed: tuple[int, ...]) -> Unfinished | None:
    return unfinished(job)
