"""Properties > Render > Warpnoise."""

from __future__ import annotations

import bpy

from ..stylize import state
from ..stylize.session import CheckSession, StylizeSession
from ..stylize.status import STAGES, Status, duration
from . import preview
from .properties import DEFAULTS
from .texts import draw_text


class _Panel:
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "render"


class WARPNOISE_PT_main(_Panel, bpy.types.Panel):
    bl_idname = "WARPNOISE_PT_main"
    bl_label = "Warpnoise"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012  Blender's own way

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        session = state.running()
        row = layout.row(align=True)
        row.scale_y = 1.5
        if session is None:
            row.operator("warpnoise.stylize", icon="RENDER_ANIMATION")
        else:
            row.operator("warpnoise.cancel", icon="CANCEL")
        _draw_status(layout, state.last)


def _draw_status(layout: bpy.types.UILayout, status: Status) -> None:
    if status.stage == "idle":
        return
    box = layout.box()
    if status.error:
        draw_text(box, status.error, icon="CANCEL" if status.stage == "cancelled" else "ERROR", width=48)
    elif status.over and isinstance(state.session, CheckSession):
        box.label(text="The backend works", icon="CHECKMARK")
    elif status.over:
        kept = f", {status.frames_kept} of them from before" if status.frames_kept else ""
        box.label(text=f"{STAGES[status.stage]}: {status.frames_done} frames{kept}", icon="CHECKMARK")
    else:
        _draw_progress(box, status)
    if status.device:
        column = box.column(align=True)
        column.scale_y = 0.8
        column.label(text=f"Backend {status.backend}", icon="SYSTEM")
        column.label(text=status.device, icon="BLANK1")
    for text in status.warnings:
        draw_text(box, text, icon="INFO", width=48, most=4)
    if isinstance(state.session, StylizeSession) and preview.icon():
        box.template_icon(icon_value=preview.icon(), scale=8.0)


def _draw_progress(layout: bpy.types.UILayout, status: Status) -> None:
    text = STAGES[status.stage]
    if status.frames_total:
        text += f": {status.frames_done} of {status.frames_total}"
    layout.progress(factor=status.fraction, text=text)
    details = []
    if status.steps_total:
        details.append(f"Step {status.step} of {status.steps_total}")
    if status.seconds_left is not None:
        details.append(f"{duration(status.seconds_left)} left")
    if details:
        layout.label(text=", ".join(details), icon="TIME")


class WARPNOISE_PT_source(_Panel, bpy.types.Panel):
    bl_idname = "WARPNOISE_PT_source"
    bl_parent_id = "WARPNOISE_PT_main"
    bl_label = "Frames"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.enabled = state.running() is None
        settings = context.scene.warpnoise
        column = layout.column()
        column.row().prop(settings, "range", expand=True)
        if settings.range == "CUSTOM":
            sub = column.column(align=True)
            sub.prop(settings, "frame_start")
            sub.prop(settings, "frame_end")
            sub.prop(settings, "frame_step")
        column = layout.column()
        column.row().prop(settings, "source", expand=True)
        if settings.source == "FRAMES":
            column.prop(settings, "color_folder")
            column.prop(settings, "passes_folder", placeholder="rendered by Cycles")
        column = layout.column()
        column.prop(settings, "output", placeholder=_default_output(context.scene))
        column.prop(settings, "keep_existing")
        column.prop(settings, "connect")
        column.operator("warpnoise.add_to_compositor", icon="NODE_COMPOSITING")


def _default_output(scene: bpy.types.Scene) -> str:
    if not bpy.data.filepath:
        return "a temporary folder (the file is not saved)"
    return f"//warpnoise/{bpy.path.clean_name(scene.name)}"


class WARPNOISE_PT_style(_Panel, bpy.types.Panel):
    bl_idname = "WARPNOISE_PT_style"
    bl_parent_id = "WARPNOISE_PT_main"
    bl_label = "Style"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.enabled = state.running() is None
        settings = context.scene.warpnoise
        column = layout.column()
        column.prop(settings, "model")
        styles = known_styles(settings.model)
        row = column.row(align=True)
        row.prop(settings, "style", placeholder=styles[0] if styles else "the model's first")
        if styles:
            row.menu("WARPNOISE_MT_styles", text="", icon="DOWNARROW_HLT")
        if settings.model != DEFAULTS.model:
            column.prop(settings, "prompt")
            column.prop(settings, "negative_prompt")
        column = layout.column()
        column.prop(settings, "strength")
        column.prop(settings, "steps")
        column.prop(settings, "seed")
        row = column.row(heading="Guidance")
        row.prop(settings, "use_guidance", text="")
        sub = row.row()
        sub.enabled = settings.use_guidance
        sub.prop(settings, "guidance", text="")
        column.prop(settings, "eta")
        column.prop(settings, "noise")


class WARPNOISE_MT_styles(bpy.types.Menu):
    bl_idname = "WARPNOISE_MT_styles"
    bl_label = "Styles"

    def draw(self, context: bpy.types.Context) -> None:
        for style in known_styles(context.scene.warpnoise.model):
            choose = self.layout.operator("wm.context_set_string", text=style)
            choose.data_path, choose.value = "scene.warpnoise.style", style


def known_styles(model: str) -> list[str]:
    """The styles of a model, as far as a backend has said."""
    backend = state.pool.current
    models = backend.status.get("models", ()) if backend else ()
    return [style for m in models if m.get("name") == (model or DEFAULTS.model) for style in m.get("styles", ())]
