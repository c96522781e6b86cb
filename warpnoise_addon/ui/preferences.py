"""The add-on's preferences: which backend. They are the user's, so nothing of them is in a .blend file."""

import os

import bpy
from bpy.props import EnumProperty, IntProperty, StringProperty

from ..backend.locate import PYTHON_VARIABLE, TOKEN_VARIABLE
from ..package import ADDON
from ..stylize import state
from ..stylize.request import BackendChoice
from ..stylize.session import CheckSession
from .texts import draw_text

DEVICES = (
    ("AUTO", "Automatic", "The best that the backend finds"),
    ("cuda", "CUDA or ROCm", "A graphics card of NVIDIA or AMD"),
    ("mps", "Metal", "A graphics card of Apple"),
    ("cpu", "CPU", "The processor: works everywhere, slowly"),
)


class WARPNOISE_Preferences(bpy.types.AddonPreferences):
    bl_idname = ADDON

    python: StringProperty(
        name="Backend's Python",
        description=f"A Python, or the folder of a virtual environment, that has the package `warpnoise`. "
        f"Empty: the command `warpnoise` on the PATH. The variable {PYTHON_VARIABLE} wins over this",
        subtype="FILE_PATH",
    )
    url: StringProperty(
        name="Running Backend's URL",
        description="http://127.0.0.1:PORT of a backend that was started by hand with `warpnoise serve`. "
        "Empty: Blender starts one itself",
    )
    token_file: StringProperty(
        name="Its Token File",
        description=f"The file that `warpnoise serve` names when it starts. The variable {TOKEN_VARIABLE} wins",
        subtype="FILE_PATH",
    )
    device: EnumProperty(name="Device", description="What the model runs on", items=DEVICES, default="AUTO")
    batch: IntProperty(
        name="Batch", description="Frames at a time; 0 leaves it to the backend", default=0, min=0, soft_max=64
    )

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        column = layout.column()
        sub = column.column()
        sub.enabled = not self.url
        sub.prop(self, "python", placeholder="the command warpnoise on the PATH")
        if python := os.environ.get(PYTHON_VARIABLE):
            sub.label(text=f"{PYTHON_VARIABLE} wins: {python}", icon="INFO")
        column.prop(self, "url", placeholder="started by Blender")
        sub = column.column()
        sub.enabled = bool(self.url)
        sub.prop(self, "token_file")
        column = layout.column()
        column.prop(self, "device")
        column.prop(self, "batch")
        layout.operator("warpnoise.check_backend", icon="CHECKMARK")
        if isinstance(state.session, CheckSession):
            _draw_check(layout, state.session)


def _draw_check(layout: bpy.types.UILayout, session: CheckSession) -> None:
    status = session.status
    box = layout.box()
    if status.error:
        draw_text(box, status.error, icon="ERROR", width=90)
    elif status.stage == "done":
        box.label(text=f"The backend {status.backend} works", icon="CHECKMARK")
        box.label(text=f"Device: {status.device}", icon="BLANK1")
    else:
        box.label(text="Starting the backend...", icon="SORTTIME")


def backend_choice(context: bpy.types.Context) -> BackendChoice:
    """What the preferences choose; the defaults where the add-on runs without being installed."""
    addon = context.preferences.addons.get(ADDON)
    if addon is None or addon.preferences is None:
        return BackendChoice()
    chosen = addon.preferences
    return BackendChoice(
        python=bpy.path.abspath(chosen.python),
        url=chosen.url.strip(),
        token_file=bpy.path.abspath(chosen.token_file),
        device=None if chosen.device == "AUTO" else chosen.device,
        batch=chosen.batch or None,
    )
