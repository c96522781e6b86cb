"""The add-on's preferences, such as the backend. They belong to the user, so the .blend file holds none of them."""

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from ..backend.locate import PYTHON_VARIABLE, TOKEN_VARIABLE, URL_VARIABLE
from ..package import ADDON
from ..settings import MEMORY, RUN_OPTIONS
from ..stylize.request import BackendChoice
from .managed import managed_python, managed_update
from .online import offline
from .properties import BackendOptions

LOCATIONS = (
    ("HERE", "This Computer", "Blender starts the backend from a Python environment on this computer"),
    ("SERVER", "A Server", "`warpnoise serve`, started by hand. Frames are sent to it, and results fetched"),
)
DEVICES = (
    ("AUTO", "Automatic", "The best device that the backend finds"),
    ("cuda", "CUDA or ROCm", "An NVIDIA or AMD graphics card"),
    ("mps", "Metal", "An Apple graphics processor"),
    ("cpu", "CPU", "The processor. Works on every computer, but slowly"),
)
NO_URL = "https://"
NO_SERVER = "no server can be asked"


class WARPNOISE_Preferences(BackendOptions, bpy.types.AddonPreferences):
    bl_idname = ADDON

    location: EnumProperty(name="Backend", description="Where the models run", items=LOCATIONS, default="HERE")
    python: StringProperty(
        name="Python",
        description=f"A Python, or the folder of a virtual environment, that has the package `warpnoise`. "
        f"Empty: the command `warpnoise` on the PATH. The variable {PYTHON_VARIABLE} overrides this",
        subtype="FILE_PATH",
    )
    url: StringProperty(
        name="URL",
        description="https://SERVER for a server behind a proxy with TLS, or http://127.0.0.1:PORT for a tunnel to it. "
        f"The variable {URL_VARIABLE} overrides this",
    )
    token_file: StringProperty(
        name="Token File",
        description="The file with the server's token. Warpnoise reads it when it connects, and stores the token "
        f"nowhere else. The variable {TOKEN_VARIABLE} overrides this",
        subtype="FILE_PATH",
    )
    delete_after: BoolProperty(
        name="Delete Frames There Afterwards",
        description="Delete the run's files on the server when the run has finished. If off, the server keeps the "
        "frames for some days, so that a run with another style does not send them again",
    )
    device: EnumProperty(name="Device", description="The device that the model runs on", items=DEVICES, default="AUTO")

    def draw(self, context: bpy.types.Context) -> None:
        from .draw_preferences import draw_preferences  # which needs this module

        draw_preferences(self.layout, self)


def preferences(context: bpy.types.Context) -> WARPNOISE_Preferences | None:
    """None where the add-on runs without being installed."""
    addon = context.preferences.addons.get(ADDON)
    return None if addon is None else addon.preferences


def backend_choice(context: bpy.types.Context) -> BackendChoice:
    """The backend that the preferences choose, or the default if the add-on is not installed."""
    chosen = preferences(context)
    if chosen is None:
        return BackendChoice(python=managed_python(), update=managed_update())
    return BackendChoice(
        python=bpy.path.abspath(chosen.python) or managed_python(),
        # A server that is chosen but not named is an error, not a reason to compute here.
        url=(chosen.url.strip() or NO_URL) if chosen.location == "SERVER" else "",
        token_file=bpy.path.abspath(chosen.token_file),
        device=None if chosen.device == "AUTO" else chosen.device,
        batch=chosen.batch or None,
        memory={name: RUN_OPTIONS[name].from_property(getattr(chosen, name)) for name in MEMORY},
        delete_after=chosen.delete_after,
        offline=offline(NO_SERVER),
        update=None if chosen.python else managed_update(),
    )
