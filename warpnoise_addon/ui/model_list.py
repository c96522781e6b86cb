"""The models: those that the backend has, and those that can be downloaded, as a list beside the model's name.

Blender reads the annotations when it registers the classes: no `annotations` future here.
"""

import re
from pathlib import Path
from typing import Any

import bpy
from bpy.props import CollectionProperty, IntProperty, StringProperty

from ..settings import SETTINGS
from ..stylize import model_facts, state
from ..stylize.model_sessions import DownloadSession, ListSession, OfferSession, remove_model, size_text
from . import style_pictures
from .modal_session import SessionOperator, redraw
from .online import offline
from .preferences import backend_choice
from .reporting import reporting
from .texts import draw_text, iface, letters_in, sentence

DEFAULT_MODEL = str(SETTINGS["model"].default)
NO_DOWNLOAD = "nothing can be downloaded"
LETTERS = 70
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
"""The form of a model's name on the hub."""
NO_LICENSE = "that its page names"


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
        picture = style_pictures.icon(style_pictures.STYLES[0]) if item.name == DEFAULT_MODEL else 0
        kind = "ERROR" if model.get("error") else "CHECKMARK" if is_installed(model) else "IMPORT"
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
    """A suggested model says it; what has a source is on the backend's disk."""
    return "source" in model or bool(model.get("installed"))


def size_and_license(model: dict[str, Any]) -> str:
    """``6.9 GB, openrail++``; what is not known is left out."""
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
    if not rows:
        return
    layout.template_list(
        "WARPNOISE_UL_models", "", manager, "warpnoise_models", manager, "warpnoise_models_index", rows=4
    )
    model = listed(rows[index].name) if 0 <= index < len(rows) else None
    if model is not None:
        _draw_model(layout.box(), model, letters_in(context))


def _draw_model(layout: bpy.types.UILayout, model: dict[str, Any], width: int) -> None:
    error, description = str(model.get("error") or ""), str(model.get("description") or "")
    if error:
        draw_text(layout, error, icon="ERROR", width=width)
    if description:
        draw_text(layout, description, icon="BLANK1", width=width)
    facts = [model.get("family") or "", size_and_license(model)]
    if model.get("memory"):
        facts.append(iface("about {size} of memory", size=size_text(model["memory"])))
    draw_text(layout, ", ".join(filter(None, facts)), icon="INFO", width=width, capital=False)
    if not is_installed(model):
        _draw_download(layout, model["name"], width)
    row = layout.row(align=True)
    if model.get("source") == "hub":
        row.operator("warpnoise.remove_model", icon="TRASH").model = model["name"]
    if model.get("license_url"):
        row.operator("wm.url_open", text="License", icon="URL").url = model["license_url"]


def _draw_download(layout: bpy.types.UILayout, name: str, width: int) -> None:
    """The button, or why there is none."""
    if model_facts.listing and not model_facts.listing.get("downloads", True):
        draw_text(layout, "This server does not download models. Ask its administrator", icon="INFO", width=width)
    elif refusal := offline(NO_DOWNLOAD):
        draw_text(layout, refusal, icon="INTERNET_OFFLINE", width=width)
    else:
        layout.operator("warpnoise.offer_model", icon="IMPORT").model = name


class WARPNOISE_OT_list_models(SessionOperator, bpy.types.Operator):
    """Ask the backend which models are installed, and which it suggests"""

    bl_idname = "warpnoise.list_models"
    bl_label = "List Models"

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self._run(context, ListSession(state.pool, backend_choice(context)))

    def _done(self, context: bpy.types.Context) -> set[str]:
        fill_list(context.window_manager, context.scene.warpnoise.model)
        return {"FINISHED"}


class WARPNOISE_OT_offer_model(SessionOperator, bpy.types.Operator):
    """Ask the hub for the model's size, memory need and license. Nothing is downloaded before you agree"""

    bl_idname = "warpnoise.offer_model"
    bl_label = "Download..."

    model: StringProperty(name="Model", description="The name on the hub, OWNER/NAME", options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        if refusal := offline(NO_DOWNLOAD):
            self.report({"ERROR"}, sentence(refusal))
            return {"CANCELLED"}
        return self._run(context, OfferSession(state.pool, backend_choice(context), self.model))

    def _done(self, context: bpy.types.Context) -> set[str]:
        if not bpy.app.background:
            bpy.ops.warpnoise.download_model("INVOKE_DEFAULT", model=self.model)
        return {"FINISHED"}


class WARPNOISE_OT_download_model(SessionOperator, bpy.types.Operator):
    """Download the model to the backend's computer. A cancelled download resumes"""

    bl_idname = "warpnoise.download_model"
    bl_label = "Download Model"

    model: StringProperty(name="Model", description="The name on the hub, OWNER/NAME", options={"SKIP_SAVE"})
    license: StringProperty(
        name="License", description="The license that you have read and agree to", options={"SKIP_SAVE"}
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self.license = model_facts.offers[self.model]["license"]
        return context.window_manager.invoke_props_dialog(self, width=480, confirm_text="Agree and Download")

    def draw(self, context: bpy.types.Context) -> None:
        layout, offer = self.layout, model_facts.offers[self.model]
        what = ": ".join(dict.fromkeys(((listed(self.model) or {}).get("title") or self.model, offer["family"])))
        draw_text(layout, what, icon="IMPORT", width=LETTERS, capital=False)
        text = iface(
            "{size} to download, {free} free on the disk",
            size=size_text(offer["to_download"]),
            free=size_text(offer["free"]),
        )
        draw_text(layout, text, icon="INFO", width=LETTERS)
        text = iface("Needs about {memory} of memory", memory=size_text(offer["memory"]))
        draw_text(layout, text, icon="BLANK1", width=LETTERS)
        if offer["to_download"] > offer["free"]:
            draw_text(layout, "The disk has too little free space", icon="ERROR", width=LETTERS)
        text = iface("To download it, you agree to its license, {license}", license=self.license or iface(NO_LICENSE))
        draw_text(layout, text, icon="BLANK1", width=LETTERS)
        layout.operator("wm.url_open", text="Read the License", icon="URL").url = offer["license_url"]
        if offer["gated"]:
            text = "The model is gated: first accept its terms on its page, and sign in to the hub with a token"
            draw_text(layout, text, icon="ERROR", width=LETTERS)

    def execute(self, context: bpy.types.Context) -> set[str]:
        if refusal := offline(NO_DOWNLOAD):
            self.report({"ERROR"}, sentence(refusal))
            return {"CANCELLED"}
        session = DownloadSession(state.pool, backend_choice(context), self.model, self.license)
        return self._run(context, session)

    def _done(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.warpnoise
        described = model_facts.offers.get(self.model) or listed(self.model) or {}
        if described.get("kind") == "controlnet":
            settings.controls.add().path = self.model
            settings.controls_index = len(settings.controls) - 1
        else:
            settings.model = self.model
        fill_list(context.window_manager, settings.model)
        return {"FINISHED"}


class WARPNOISE_OT_remove_model(bpy.types.Operator):
    """Delete this model's files from the backend's disk"""

    bl_idname = "warpnoise.remove_model"
    bl_label = "Delete Model"

    model: StringProperty(name="Model", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return state.running() is None and state.pool.current is not None

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_confirm(self, event)

    @reporting
    def execute(self, context: bpy.types.Context) -> set[str]:
        model_facts.listing = remove_model(state.pool, backend_choice(context), self.model)
        fill_list(context.window_manager, context.scene.warpnoise.model)
        redraw(context)
        return {"FINISHED"}


def register() -> None:
    manager = bpy.types.WindowManager
    manager.warpnoise_models = CollectionProperty(type=WARPNOISE_ListedModel)
    manager.warpnoise_models_index = IntProperty(name="Model", update=_choose)


def unregister() -> None:
    del bpy.types.WindowManager.warpnoise_models, bpy.types.WindowManager.warpnoise_models_index
