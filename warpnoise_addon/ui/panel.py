"""The panel, in three places: Properties > Render, and the sidebars of the compositor and the image editor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import bpy

from ..frame_ranges import frames_text
from ..stylize import state
from ..stylize.request import RECORD, unfinished
from .draw_settings import draw_coherence, draw_frames, draw_noise, draw_output, draw_style
from .draw_status import draw_cancel, draw_status
from .first_run import draw_first_run, draw_next_steps
from .image_editor import BEFORE, WARPNOISE_OT_before_after, shown_preview
from .make_request import existing_output, read_changed
from .properties import WARPNOISE_PT_presets, write_settings
from .result_operators import draw_results
from .texts import draw_text, iface, letters_in

NARROW = 16
"""Letters in a line of a sidebar as Blender opens it."""


class _InProperties:
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "render"


class _InImageEditor:
    bl_space_type = "IMAGE_EDITOR"
    bl_region_type = "UI"
    bl_category = "Warpnoise"


class _InCompositor:
    bl_space_type = "NODE_EDITOR"
    bl_region_type = "UI"
    bl_category = "Warpnoise"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return context.space_data.tree_type == "CompositorNodeTree"


PLACES = {"": _InProperties, "_image": _InImageEditor, "_node": _InCompositor}
"""What follows the panels' names, and where they stand."""


class _Main:
    bl_label = "Warpnoise"

    def draw_header_preset(self: Any, context: bpy.types.Context) -> None:
        WARPNOISE_PT_presets.draw_panel_header(self.layout)

    def draw(self: Any, context: bpy.types.Context) -> None:
        layout, idle = self.layout, state.running() is None
        if idle:
            draw_first_run(layout, context)
        row = layout.row(align=True)
        row.scale_y = 1.5
        if idle:
            row.operator("warpnoise.stylize", icon="RENDER_ANIMATION")
            draw_preview_buttons(layout, context)
            if existing_output(context.scene, "color") is not None:  # another style of the same shot is the usual case
                layout.prop(context.scene.warpnoise, "keep_existing")
            if (job := existing_output(context.scene, "records")) is not None:
                draw_unfinished(layout, context, job)
        else:
            draw_cancel(row)
        draw_status(layout, context)
        draw_next_steps(layout, context)


def draw_preview_buttons(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draws the buttons that preview one frame and compare it with the render."""
    row = layout.row(align=True)
    frame = context.scene.frame_current
    text = "Preview Frame {frame}" if letters_in(context) > NARROW else "Preview {frame}"
    button = row.operator("warpnoise.stylize", text=iface(text, frame=frame), icon="RENDER_STILL", translate=False)
    button.preview = frame
    if WARPNOISE_OT_before_after.poll(context):
        before = shown_preview(context) == BEFORE
        row.operator("warpnoise.before_after", text="", icon="ARROW_LEFTRIGHT", depress=before)


def draw_unfinished(layout: bpy.types.UILayout, context: bpy.types.Context, job: Path) -> None:
    """Draws how far an interrupted run came, and a button, if there is one."""
    found = read_changed(unfinished, job, job / "records", job / RECORD)
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


class Section(NamedTuple):
    """A panel below the main one. ``locked``: it cannot be changed during a run."""

    name: str
    label: str
    draw: Callable[[bpy.types.UILayout, bpy.types.Context], None]
    closed: bool = False
    locked: bool = True


SECTIONS = (
    Section("style", "Style", draw_style),
    Section("coherence", "Coherence", draw_coherence, closed=True),
    Section("noise", "Noise", draw_noise, closed=True),
    Section("frames", "Frames", draw_frames),
    Section("output", "Output", draw_output, closed=True),
    Section("result", "Result", draw_results, closed=True),
)


def _section_panel(section: Section, place: type, suffix: str) -> type:
    def draw(self: bpy.types.Panel, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.enabled = not section.locked or state.running() is None
        section.draw(layout, context)

    name = f"WARPNOISE_PT_{section.name}{suffix}"
    contents = {
        "bl_idname": name,
        "bl_label": section.label,
        "bl_parent_id": f"WARPNOISE_PT_main{suffix}",
        "bl_options": {"DEFAULT_CLOSED"} if section.closed else set(),
        "draw": draw,
    }
    return type(name, (place, bpy.types.Panel), contents)


def _panels() -> Iterator[type]:
    for suffix, place in PLACES.items():
        name = f"WARPNOISE_PT_main{suffix}"
        yield type(name, (_Main, place, bpy.types.Panel), {"bl_idname": name})
        yield from (_section_panel(section, place, suffix) for section in SECTIONS)


GENERATED = tuple(_panels())
