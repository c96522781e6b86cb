"""Draws the settings: style, noise, frames, output, and those that are lists, like Blender's own lists.

Everything is generated from `settings.json`. Blender reads the annotations when it registers the classes: no
`annotations` future here.
"""

from typing import Any

import bpy
from bpy.props import StringProperty

from ..settings import SETTINGS, Setting
from ..stylize import model_facts, state
from . import icons
from .key_pictures import draw_key_pictures
from .make_request import default_output
from .model_list import DEFAULT_MODEL, draw_models
from .operator_mixins import Mixin
from .texts import draw_text, iface, letters_in, sentence

DEFAULT_TAKES = frozenset(SETTINGS) - {
    "prompt", "negative_prompt", "attention", "latent_noise", *(name for name in SETTINGS if SETTINGS[name].items),
}  # fmt: skip
"""What the model that comes with the backend takes, until a backend has said it."""


def draw_style(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    settings = context.scene.warpnoise
    column = layout.column()
    draw_models(column, context)
    styles, taken = known_styles(settings.model), takes(settings.model)
    if styles or taken is None or "style" in taken:
        row = column.row(align=True)
        row.prop(settings, "style", placeholder=styles[0] if styles else iface("The Model's First"))
        if styles:
            row.menu("WARPNOISE_MT_styles", text="", icon="DOWNARROW_HLT")
    shown = settings.style or (styles[0] if styles else "")
    if is_default(settings.model) and icons.style_icon(shown):
        column.template_icon(icon_value=icons.style_icon(shown), scale=5.0)
    draw_settings(column, settings, "style")


def draw_settings(layout: bpy.types.UILayout, settings: Any, panel: str) -> None:
    """The settings of one part of the panel that act with the scene's model."""
    taken = takes(settings.model)
    for name, setting in SETTINGS.items():
        if setting.panel != panel or setting.hidden or name in ("model", "style"):
            continue
        if taken is not None and name not in taken:
            continue
        if setting.items:
            draw_list(layout, settings, name)
        else:
            draw_value(layout, settings, setting)
        if (name, settings.coherence) == ("coherence", "off"):
            return  # the others belong to its presets


def draw_noise(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    settings = context.scene.warpnoise
    draw_settings(layout.column(), settings, "noise")
    if settings.noise != SETTINGS["noise"].default:
        draw_text(layout, "Only Warped noise stays on the surfaces", icon="INFO", width=letters_in(context))


def draw_coherence(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    draw_settings(layout.column(), context.scene.warpnoise, "coherence")
    draw_key_pictures(layout, context)


def draw_frames(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    settings, scene = context.scene.warpnoise, context.scene
    column = layout.column()
    column.prop(settings, "range", expand=True)
    column = layout.column(align=True)
    if settings.range == "CUSTOM":
        owner = settings
    else:
        owner = scene
        column.enabled = False  # to be seen here, and set where Blender has it
    column.prop(owner, "frame_start", text="Frame Start")
    column.prop(owner, "frame_end", text="End")
    column.prop(owner, "frame_step", text="Step")
    column = layout.column()
    column.prop(settings, "source", expand=True)
    if settings.source == "FRAMES":
        column.prop(settings, "color_folder")
        column.prop(settings, "passes_folder", placeholder=iface("Rendered by Cycles"))


def draw_output(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    settings = context.scene.warpnoise
    column = layout.column()
    column.prop(settings, "output", placeholder=default_output(context.scene))
    if not settings.output and not bpy.data.filepath:
        text = "The file is not saved: results go to a temporary folder"
        draw_text(column, text, icon="INFO", width=letters_in(context))
    column.prop(settings, "connect")


class WARPNOISE_MT_styles(bpy.types.Menu):
    bl_idname = "WARPNOISE_MT_styles"
    bl_label = "Styles"

    def draw(self, context: bpy.types.Context) -> None:
        model = context.scene.warpnoise.model
        for style in known_styles(model):
            icon = icons.style_icon(style) if is_default(model) else 0
            choose = self.layout.operator("wm.context_set_string", text=style, icon_value=icon, translate=False)
            choose.data_path, choose.value = "scene.warpnoise.style", style


def is_default(model: str) -> bool:
    """Whether it is the model that comes with the backend."""
    return model.strip() in ("", DEFAULT_MODEL)


def known_styles(model: str) -> list[str]:
    """The styles of a model, as reported by a backend, or else those that have pictures."""
    told = _told(model)
    if told is not None:
        return list(told.get("styles", ()))
    return list(icons.STYLES) if is_default(model) else []


def takes(model: str) -> frozenset[str] | None:
    """The settings that the model has a use for; None: not known yet, then all are shown."""
    told = _told(model)
    if told is not None and "takes" in told:
        return frozenset(told["takes"])
    return DEFAULT_TAKES if is_default(model) else None


def _told(model: str) -> dict[str, Any] | None:
    name = DEFAULT_MODEL if is_default(model) else model.strip()
    if (known := model_facts.find_model(name)) is not None:
        return known
    backend = state.pool.current
    models = backend.status.get("models", ()) if backend else ()
    return next((entry for entry in models if entry.get("name") == name), None)


class WARPNOISE_UL_items(bpy.types.UIList):
    """The items of a list: the first field, the choices among the others, and the first number."""

    bl_idname = "WARPNOISE_UL_items"

    def draw_item(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        data: Any,
        item: Any,
        icon: int,
        active_data: Any,
        active_property: str,
        index: int,
    ) -> None:
        first, *others = SETTINGS[active_property.removesuffix("_index")].items.values()
        row = layout.row(align=True)
        row.label(text=_shown(first, item), icon="NONE" if getattr(item, first.name) else "ERROR", translate=False)
        for part in others:
            if part.choices:
                row.prop(item, part.name, text="", emboss=False)
        number = next((part for part in others if part.kind in ("number", "integer")), None)
        if number is not None:
            row.prop(item, number.name, text="", emboss=False)


def _shown(part: Setting, item: Any) -> str:
    """A path without its folders."""
    text = str(getattr(item, part.name))
    if not text:
        return iface("Choose a {kind}", kind=iface(part.title))
    return bpy.path.basename(text.rstrip("/\\")) if part.is_path else text


def draw_list(layout: bpy.types.UILayout, settings: Any, name: str) -> None:
    """The setting ``name`` of the scene's ``settings``."""
    setting, items, index = SETTINGS[name], getattr(settings, name), f"{name}_index"
    layout.label(text=setting.title)
    row = layout.row()
    row.template_list("WARPNOISE_UL_items", name, settings, name, settings, index, rows=3 if items else 2)
    column = row.column(align=True)
    column.operator("warpnoise.add_item", text="", icon="ADD").setting = name
    column.operator("warpnoise.remove_item", text="", icon="REMOVE").setting = name
    if 0 <= getattr(settings, index) < len(items):
        column = layout.column()
        for part in setting.items.values():
            draw_value(column, items[getattr(settings, index)], part)


def draw_value(layout: bpy.types.UILayout, owner: Any, setting: Setting) -> None:
    """Draws a setting that is not a list, with a check box if it can be left to the model."""
    layout = layout.row(heading=setting.title if setting.switched else "")
    # Blender has no keyframes for texts.
    layout.use_property_decorate = bool(setting.hints.get("animatable")) and setting.kind == "number"
    if not setting.switched:
        layout.prop(owner, setting.name, slider=setting.hints.get("subtype") == "FACTOR")
        return
    layout.prop(owner, f"use_{setting.name}", text="")
    row = layout.row()
    row.enabled = getattr(owner, f"use_{setting.name}")
    row.prop(owner, setting.name, text="", slider=setting.hints.get("subtype") == "FACTOR")


class _OfList(Mixin):
    """Mixin: the setting that is a list."""

    bl_options = {"INTERNAL", "UNDO"}  # noqa: RUF012  Blender's own way

    setting: StringProperty(name="Setting", options={"SKIP_SAVE", "HIDDEN"})

    def _choose(self, settings: Any, index: int) -> None:
        last = len(getattr(settings, self.setting)) - 1
        setattr(settings, f"{self.setting}_index", max(min(index, last), 0))


class WARPNOISE_OT_add_item(_OfList, bpy.types.Operator):
    """Add an item to the list, and choose it"""

    bl_idname = "warpnoise.add_item"
    bl_label = "Add"

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings, setting = context.scene.warpnoise, SETTINGS[self.setting]
        items = getattr(settings, self.setting)
        if len(items) >= setting.longest:
            self.report({"ERROR"}, sentence("There can be at most {count}", count=setting.longest))
            return {"CANCELLED"}
        items.add()
        self._choose(settings, len(items) - 1)
        return {"FINISHED"}


class WARPNOISE_OT_remove_item(_OfList, bpy.types.Operator):
    """Remove the chosen item from the list"""

    bl_idname = "warpnoise.remove_item"
    bl_label = "Remove"

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.warpnoise
        items, index = getattr(settings, self.setting), getattr(settings, f"{self.setting}_index")
        if not 0 <= index < len(items):
            return {"CANCELLED"}
        items.remove(index)
        self._choose(settings, index)
        return {"FINISHED"}
