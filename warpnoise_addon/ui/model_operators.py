"""Operators that list, download or delete models, or name their base. The backend does the work; a session follows it.

Blender reads the annotations when it registers the classes: no `annotations` future here.
"""

from functools import partial
from pathlib import Path

import bpy
from bpy.props import StringProperty

from ..compat import PATH_OPTIONS
from ..errors import SettingsError
from ..stylize import model_facts, state
from ..stylize.model_sessions import (
    INSTALLED,
    ModelSession,
    Work,
    download_model,
    list_models,
    offer_model,
    remove_model,
    set_base,
    size_text,
)
from .model_list import NO_DOWNLOAD, fill_list, listed
from .operator_mixins import AskFirst, SessionOperator, reporting
from .preferences import backend_choice, offline
from .texts import draw_text, iface

LETTERS = 70
NO_LICENSE = "that its page names"
BASE = "The file holds only a part of a model. Its base supplies the other parts"


class _ModelOperator(SessionOperator):
    """Ends with the list of models as the session found it."""

    def _ask(self, context: bpy.types.Context, stage: str, work: Work, done_text: str = "") -> set[str]:
        return self._run(context, ModelSession(state.pool, backend_choice(context), stage, work, done_text))

    def _done(self, context: bpy.types.Context) -> set[str]:
        fill_list(context.window_manager, context.scene.warpnoise.model)
        return {"FINISHED"}


class WARPNOISE_OT_list_models(_ModelOperator, bpy.types.Operator):
    """Ask the backend which models are installed, and which it suggests"""

    bl_idname = "warpnoise.list_models"
    bl_label = "List Models"

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self._ask(context, "listing", list_models)


class WARPNOISE_OT_offer_model(_ModelOperator, bpy.types.Operator):
    """Ask the hub for the model's size, memory need and license. Nothing is downloaded before you agree"""

    bl_idname = "warpnoise.offer_model"
    bl_label = "Download..."

    model: StringProperty(name="Model", description="The name on the hub, OWNER/NAME", options={"SKIP_SAVE"})

    @reporting
    def execute(self, context: bpy.types.Context) -> set[str]:
        check_online()
        return self._ask(context, "offering", partial(offer_model, name=self.model))

    def _done(self, context: bpy.types.Context) -> set[str]:
        if not bpy.app.background:
            bpy.ops.warpnoise.download_model("INVOKE_DEFAULT", model=self.model)  # type: ignore[attr-defined]
        return {"FINISHED"}


class WARPNOISE_OT_download_model(_ModelOperator, bpy.types.Operator):
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

    @reporting
    def execute(self, context: bpy.types.Context) -> set[str]:
        check_online()
        work = partial(download_model, name=self.model, agreed=self.license)
        return self._ask(context, "fetching", work, INSTALLED)

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


class WARPNOISE_OT_remove_model(AskFirst, _ModelOperator, bpy.types.Operator):
    """Delete this model's files from the backend's disk"""

    bl_idname = "warpnoise.remove_model"
    bl_label = "Delete Model"
    deletes = "model"

    model: StringProperty(name="Model", options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self._ask(context, "listing", partial(remove_model, name=self.model))


class WARPNOISE_OT_set_base(_ModelOperator, bpy.types.Operator):
    """Name the base of a file that holds only a part of a model. Warpnoise remembers it in a file beside the model"""

    bl_idname = "warpnoise.set_base"
    bl_label = "Set the Base"

    model: StringProperty(name="Model", options={"SKIP_SAVE", "HIDDEN"})
    base: StringProperty(
        name="Base",
        description="A diffusers folder of the same family, or the OWNER/NAME of a downloaded model",
        subtype="DIR_PATH",
        options={"SKIP_SAVE"} | PATH_OPTIONS,
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_props_dialog(self, width=480, confirm_text="Set Base")

    def draw(self, context: bpy.types.Context) -> None:
        draw_text(self.layout, BASE, icon="INFO", width=LETTERS)
        self.layout.use_property_split = True
        self.layout.prop(self, "base", placeholder=_suggested_base(self.model))

    def execute(self, context: bpy.types.Context) -> set[str]:
        path = Path(bpy.path.abspath(self.base))
        base = str(path) if path.is_dir() else self.base
        return self._ask(context, "listing", partial(set_base, model=self.model, base=base))

    def _done(self, context: bpy.types.Context) -> set[str]:
        model_facts.without_base.discard(self.model)
        context.scene.warpnoise.model = self.model
        fill_list(context.window_manager, self.model)
        return {"FINISHED"}


def _suggested_base(model: str) -> str:
    """A downloadable model that has what the file lacks, if the backend knows one."""
    return str((listed(model) or {}).get("base") or "")


def check_online() -> None:
    """Raises SettingsError: Blender does not let add-ons use the network."""
    if refusal := offline(NO_DOWNLOAD):
        raise SettingsError(refusal)
