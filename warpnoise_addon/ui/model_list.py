"""The list beside the model's name: models that the backend has, and models that can be downloaded.

Blender reads the annotations when it registers the classes: no `annotations` future here.
"""

import re
from pathlib import Path
from typing import Any

import bpy
from bpy.props import CollectionProperty, IntProperty, StringProperty

from ..errors import from_backend
from ..settings import SETTINGS
from ..stylize import model_facts
from ..stylize.model_sessions import size_text
from . import icons
from .preferences import offline
from .texts import draw_text, iface, letters_in

DEFAULT_MODEL = str(SETTINGS["model"].default)
NO_DOWNLOAD = "nothing can be downloaded"
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
"""The form of a model's name on the hub."""


class WARPNOISE_ListedModel(bpy.types.PropertyGroup):
    """A row of the list. Its name is what a scene's model takes; all else is in `model_facts.listing`."""

    title: StringProperty(name="Title", options={"SKIP_SAVE"})


class WARPNOISE_UL_models(bpy.types.UIList):
    """The models by their titles, with their sizes and licenses."""

    bl_idname = "WARPNOISE_UL_models"

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
        model = listed(item.name) or {}
        row = layout.row(align=True)
        picture = icons.style_icon(icons.STYLES[0]) if item.name == DEFAULT_MODEL else 0
        kind: Any = "ERROR" if model.get("error") else "CHECKMARK" if is_installed(model) else "IMPORT"
        if picture:
            row.label(text=item.title, icon_value=picture, translate=False)
        else:
            row.label(text=item.title, icon=kind, translate=False)
        if letters_in(context) > 30:
            sub = row.row()
            sub.alignment = "RIGHT"
            sub.label(text=size_and_license(model), translate=False)


def listed(name: str) -> dict[str, Any] | None:
    """A row's model in the newest listing."""
    models = (*model_facts.listing.get("installed", ()), *model_facts.listing.get("suggested", ()))
    return next((model for model in models if model["name"] == name), None)


def is_installed(model: dict[str, Any]) -> bool:
    """Whether a model is on the backend's disk."""
    return "source" in model or bool(model.get("installed"))


def size_and_license(model: dict[str, Any]) -> str:
    """``6.9 GB, openrail++``, without what is unknown."""
    size = size_text(model["size"]) if model.get("size") else ""
    return ", ".join(filter(None, (size, model.get("license"))))


def fill_list(manager: Any, model: str) -> None:
    """Make the rows of `model_facts.listing`, installed ones first. The scene's model is the chosen row."""
    rows = manager.warpnoise_models
    rows.clear()
    suggested = (each for each in model_facts.listing.get("suggested", ()) if not each.get("installed"))
    for each in (*model_facts.listing.get("installed", ()), *suggested):
        row = rows.add()
        row.name, row.title = each["name"], each["title"]
    manager.warpnoise_models_index = rows.find(model or DEFAULT_MODEL)


def _choose(manager: Any, context: bpy.types.Context) -> None:
    """A click on a row: the scene's model is that one, if it is there."""
    rows, index = manager.warpnoise_models, manager.warpnoise_models_index
    model = listed(rows[index].name) if 0 <= index < len(rows) else None
    if model is not None and "source" in model and not model.get("error"):
        context.scene.warpnoise.model = model["name"]


def draw_models(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The name, the list, and what can be done with the chosen row."""
    settings, manager = context.scene.warpnoise, context.window_manager
    row = layout.row(align=True)
    row.prop(settings, "model", placeholder=DEFAULT_MODEL)
    row.operator("warpnoise.list_models", text="", icon="FILE_REFRESH" if model_facts.listing else "PRESET")
    rows, index = manager.warpnoise_models, manager.warpnoise_models_index
    if HUB_ID.fullmatch(settings.model) and listed(settings.model) is None and not Path(settings.model).exists():
        _draw_download(layout, settings.model, letters_in(context))
    chosen = rows[index].name if 0 <= index < len(rows) else ""
    if chosen != settings.model:
        _draw_base(layout, settings.model)
    if not rows:
        return
    layout.template_list(
        "WARPNOISE_UL_models", "", manager, "warpnoise_models", manager, "warpnoise_models_index", rows=4
    )
    model = listed(chosen)
    if model is not None:
        _draw_model(layout.box(), model, letters_in(context))


def _draw_model(layout: bpy.types.UILayout, model: dict[str, Any], width: int) -> None:
    error, description = str(model.get("error") or ""), str(model.get("description") or "")
    if error:
        draw_text(layout, from_backend(error), icon="ERROR", width=width)
    if description:
        draw_text(layout, description, icon="BLANK1", width=width)
    facts = [model.get("family") or "", size_and_license(model)]
    if model.get("memory"):
        facts.append(iface("about {size} of memory", size=size_text(model["memory"])))
    draw_text(layout, ", ".join(filter(None, facts)), icon="INFO", width=width, capital=False)
    _draw_base(layout, model["name"])
    if not is_installed(model):
        _draw_download(layout, model["name"], width)
    row = layout.row(align=True)
    if model.get("source") == "hub":
        row.operator("warpnoise.remove_model", icon="TRASH").model = model["name"]
    if model.get("license_url"):
        row.operator("wm.url_open", text="License", icon="URL").url = model["license_url"]


def _draw_base(layout: bpy.types.UILayout, name: str) -> None:
    if model_facts.needs_base(name):
        layout.operator("warpnoise.set_base", text="Set Base...", icon="LINKED").model = name


def _draw_download(layout: bpy.types.UILayout, name: str, width: int) -> None:
    """The button, or why there is none."""
    if model_facts.listing and not model_facts.listing.get("downloads", True):
        draw_text(layout, "This server does not download models. Ask its administrator", icon="INFO", width=width)
    elif refusal := offline(NO_DOWNLOAD):
        draw_text(layout, refusal, icon="INTERNET_OFFLINE", width=width)
    else:
        layout.operator("warpnoise.offer_model", icon="IMPORT").model = name


def register() -> None:
    manager = bpy.types.WindowManager
    manager.warpnoise_models = CollectionProperty(type=WARPNOISE_ListedModel)
    manager.warpnoise_models_index = IntProperty(name="Model", update=_choose)


def unregister() -> None:
    del bpy.types.WindowManager.warpnoise_models, bpy.types.WindowManager.warpnoise_models_index
