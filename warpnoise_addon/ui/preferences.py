"""The add-on's preferences: which backend. They are the user's, so nothing of them is in a .blend file."""

import os
import time

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty

from ..backend.address import Address
from ..backend.locate import PYTHON_VARIABLE, TOKEN_VARIABLE, URL_VARIABLE
from ..errors import SettingsError
from ..package import ADDON
from ..setup.hardware import BUILDS
from ..stylize import state
from ..stylize.request import BackendChoice
from ..stylize.session import CheckSession
from ..stylize.setup_session import SetupSession
from ..stylize.status import STAGES, duration
from .managed import environments, managed_python
from .online import offline
from .texts import draw_text

LOCATIONS = (
    ("HERE", "This Computer", "Blender starts the backend out of a Python environment on this computer"),
    ("SERVER", "A Server", "`warpnoise serve`, started by hand: the frames are sent there, and the results fetched"),
)
DEVICES = (
    ("AUTO", "Automatic", "The best that the backend finds"),
    ("cuda", "CUDA or ROCm", "A graphics card of NVIDIA or AMD"),
    ("mps", "Metal", "A graphics card of Apple"),
    ("cpu", "CPU", "The processor: works everywhere, slowly"),
)
ICONS = {"OK": "CHECKMARK", "WARNING": "INFO", "ERROR": "ERROR"}
NO_URL = "https://"
NO_SERVER = "no server can be asked"
WIDTH = 90
"""Letters in a line."""


class WARPNOISE_Preferences(bpy.types.AddonPreferences):
    bl_idname = ADDON

    location: EnumProperty(name="Backend", description="Where the models run", items=LOCATIONS, default="HERE")
    python: StringProperty(
        name="Python",
        description=f"A Python, or the folder of a virtual environment, that has the package `warpnoise`. "
        f"Empty: the command `warpnoise` on the PATH. The variable {PYTHON_VARIABLE} wins over this",
        subtype="FILE_PATH",
    )
    url: StringProperty(
        name="URL",
        description="https://SERVER of a server behind a proxy with TLS, or http://127.0.0.1:PORT of a tunnel to it. "
        f"The variable {URL_VARIABLE} wins over this",
    )
    token_file: StringProperty(
        name="Token File",
        description="The server's token is read from this file, each time that it is needed, and is kept nowhere else. "
        f"The variable {TOKEN_VARIABLE} wins over it",
        subtype="FILE_PATH",
    )
    delete_after: BoolProperty(
        name="Delete Frames There Afterwards",
        description="The server keeps nothing when a run is done. Otherwise it keeps the frames for some days, and "
        "running again with another style sends nothing again",
    )
    device: EnumProperty(name="Device", description="What the model runs on", items=DEVICES, default="AUTO")
    batch: IntProperty(
        name="Batch", description="Frames at a time; 0 leaves it to the backend", default=0, min=0, soft_max=64
    )

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.row().prop(self, "location", expand=True)
        if self.location == "HERE":
            _draw_here(layout.column(), self)
        else:
            _draw_server(layout.column(), self)
        column = layout.column()
        column.prop(self, "device")
        column.prop(self, "batch")
        layout.operator("warpnoise.check_backend", icon="VIEWZOOM")
        if isinstance(state.session, CheckSession):
            _draw_check(layout, state.session)


def _draw_here(layout: bpy.types.UILayout, chosen: WARPNOISE_Preferences) -> None:
    made = environments().current
    layout.prop(chosen, "python", placeholder="what was set up" if made else "the command warpnoise on the PATH")
    _draw_variables(layout, URL_VARIABLE, PYTHON_VARIABLE)
    row = layout.row(heading="Environment")
    running = state.running()
    if isinstance(running, SetupSession):
        row.operator("warpnoise.cancel", text="Cancel", icon="CANCEL")
    else:
        row.operator("warpnoise.set_up", text="Set Up Again..." if made else "Set Up...", icon="IMPORT")
    if made:
        date = time.strftime("%Y-%m-%d", time.localtime(made.made))
        build = BUILDS[made.build].title if made.build in BUILDS else made.build
        layout.label(text=f"Set up on {date}, PyTorch: {build}", icon="CHECKMARK")


def _draw_server(layout: bpy.types.UILayout, chosen: WARPNOISE_Preferences) -> None:
    layout.prop(chosen, "url", placeholder="https://server")
    row = layout.row(align=True)
    row.prop(chosen, "token_file")
    row.operator("warpnoise.enter_token", text="", icon="LOCKED")
    layout.prop(chosen, "delete_after")
    _draw_variables(layout, URL_VARIABLE, TOKEN_VARIABLE)
    try:
        address = Address.parse(chosen.url) if chosen.url.strip() else None
    except SettingsError as error:
        draw_text(layout, str(error), icon="ERROR", width=WIDTH)
        return
    if address is None or address.loopback:
        return
    if refusal := offline(NO_SERVER):
        draw_text(layout, refusal, icon="ERROR", width=WIDTH)
    if address.readable_by_others:
        text = "Plain HTTP to another machine: the token and the frames travel unencrypted. Use https, or an SSH tunnel"
        draw_text(layout, text, icon="ERROR", width=WIDTH)


def _draw_variables(layout: bpy.types.UILayout, *names: str) -> None:
    """Environment variables that win over what is shown."""
    for name in names:
        if value := os.environ.get(name):
            shown = "it is set" if name == TOKEN_VARIABLE else value
            layout.label(text=f"{name} wins: {shown}", icon="INFO")


def _draw_check(layout: bpy.types.UILayout, session: CheckSession) -> None:
    status = session.status
    box = layout.box()
    if isinstance(session, SetupSession):
        _draw_setup(box, session)
    for finding in session.findings:
        draw_text(box, finding.text, icon=ICONS[finding.level], width=WIDTH)
    told = {finding.text for finding in session.findings}
    if status.error and status.error not in told:
        draw_text(box, status.error, icon="CANCEL" if status.stage == "cancelled" else "ERROR", width=WIDTH)
    if not session.over:
        box.label(text=f"{STAGES[status.stage]}...", icon="SORTTIME")


def _draw_setup(layout: bpy.types.UILayout, session: SetupSession) -> None:
    if session.over:
        ended = "Ended after" if session.status.error else "Set up in"
        layout.label(text=f"{ended} {duration(session.seconds)}", icon="TIME")
        return
    if session.fraction is not None:
        layout.progress(factor=session.fraction, text=f"{session.fraction:.0%}")
    layout.label(text=duration(session.seconds), icon="TIME")
    column = layout.column(align=True)
    column.scale_y = 0.8
    for line in tuple(session.lines):
        column.label(text=line, icon="BLANK1")  # what is too long for the window is cut off


def preferences(context: bpy.types.Context) -> WARPNOISE_Preferences | None:
    """None where the add-on runs without being installed."""
    addon = context.preferences.addons.get(ADDON)
    return None if addon is None else addon.preferences


def backend_choice(context: bpy.types.Context) -> BackendChoice:
    """What the preferences choose; the defaults where the add-on runs without being installed."""
    chosen = preferences(context)
    if chosen is None:
        return BackendChoice(python=managed_python())
    return BackendChoice(
        python=bpy.path.abspath(chosen.python) or managed_python(),
        # A server that is chosen but not named is an error, not a reason to compute here.
        url=(chosen.url.strip() or NO_URL) if chosen.location == "SERVER" else "",
        token_file=bpy.path.abspath(chosen.token_file),
        device=None if chosen.device == "AUTO" else chosen.device,
        batch=chosen.batch or None,
        delete_after=chosen.delete_after,
        offline=offline(NO_SERVER),
    )
