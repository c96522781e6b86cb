"""The add-on's preferences, such as the backend. They belong to the user, so the .blend file holds none of them.

Blender reads the annotations when it registers the classes: no `annotations` future here.
"""

import os
import time
from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from ..backend.locate import PYTHON_VARIABLE, TOKEN_VARIABLE, URL_VARIABLE, Address
from ..errors import SettingsError, WarpnoiseError
from ..settings import MEMORY, RUN_OPTIONS
from ..setup.environments import Environments
from ..setup.hardware import BUILDS
from ..setup.install import update_plan
from ..setup.plan import Plan, brought_package
from ..stylize import state
from ..stylize.check import CheckSession, SetupSession
from ..stylize.request import BackendChoice
from ..stylize.status import duration
from ..version import ADDON
from .draw_status import draw_cancel, draw_progress
from .properties import BackendOptions
from .texts import draw_text, iface

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
ICONS = {"OK": "CHECKMARK", "WARNING": "INFO", "ERROR": "ERROR"}
WIDTH = 90
"""Letters in a line."""
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
        for name in MEMORY:
            column.prop(self, name)
        layout.operator("warpnoise.check_backend", icon="VIEWZOOM")
        if isinstance(state.session, CheckSession):
            _draw_check(layout, state.session)


def preferences(context: bpy.types.Context) -> WARPNOISE_Preferences | None:
    """None where the add-on runs without being installed."""
    addon = context.preferences.addons.get(ADDON)
    return None if addon is None else addon.preferences


def backend_choice(context: bpy.types.Context) -> BackendChoice:
    """The backend that the preferences choose, or the default if the add-on is not installed."""
    chosen = preferences(context)
    python, update = _set_up_backend()
    if chosen is None:
        return BackendChoice(python=python, update=update)
    return BackendChoice(
        python=bpy.path.abspath(chosen.python) or python,
        # A server that is chosen but not named is an error, not a reason to compute here.
        url=(chosen.url.strip() or NO_URL) if chosen.location == "SERVER" else "",
        token_file=bpy.path.abspath(chosen.token_file),
        device=None if chosen.device == "AUTO" else chosen.device,
        batch=chosen.batch or None,
        memory={name: RUN_OPTIONS[name].from_property(getattr(chosen, name)) for name in MEMORY},
        delete_after=chosen.delete_after,
        offline=offline(NO_SERVER),
        update=None if chosen.python else update,
    )


def offline(so: str) -> str:
    """Why the network may not be used, what that means (``so``) and what changes it; empty: it may be used."""
    if bpy.app.online_access:
        return ""
    if bpy.app.online_access_override:
        text = "Blender was started with online access switched off (--offline-mode), so {consequence}"
    else:
        text = (
            "online access is off, so {consequence}: allow it in Preferences > System > Network, "
            "or start Blender with --online-mode"
        )
    return iface(text, consequence=iface(so))


def environments() -> Environments:
    """Those of this Blender's user. The folder need not be there."""
    try:
        folder = bpy.utils.extension_path_user(ADDON, path="environments")
    except ValueError:  # it runs without being installed as an extension
        folder = str(Path(bpy.utils.user_resource("DATAFILES")) / "warpnoise" / "environments")
    return Environments(Path(folder))


def _set_up_backend() -> tuple[str, Plan | None]:
    """The folder of the environment that was set up, or ""; and the plan that updates it, if it is not up to date."""
    made = environments()
    try:
        update = update_plan(made, brought_package(), bpy.app.online_access)
    except WarpnoiseError:  # without a wheel there is nothing to update to
        update = None
    return (str(made.path(current)) if (current := made.current) else ""), update


def _draw_here(layout: bpy.types.UILayout, chosen: WARPNOISE_Preferences) -> None:
    made = environments().current
    layout.prop(
        chosen,
        "python",
        placeholder=iface("The environment of Set Up" if made else "The command warpnoise on the PATH"),
    )
    _draw_variables(layout, URL_VARIABLE, PYTHON_VARIABLE)
    row = layout.row(heading="Environment")
    running = state.running()
    if isinstance(running, SetupSession):
        draw_cancel(row)
    else:
        row.operator("warpnoise.set_up", text=iface("Set Up Again..." if made else "Set Up..."), icon="IMPORT")
    if made:
        date = time.strftime("%Y-%m-%d", time.localtime(made.made))
        build = BUILDS[made.build].title if made.build in BUILDS else made.build
        layout.label(text=iface("Set up on {date}, PyTorch: {build}", date=date, build=iface(build)), icon="CHECKMARK")


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
        draw_text(
            layout,
            "Plain HTTP to another machine: the token and the frames travel unencrypted. Use https, or an SSH tunnel",
            icon="ERROR",
            width=WIDTH,
        )


def _draw_variables(layout: bpy.types.UILayout, *names: str) -> None:
    """Environment variables that win over what is shown."""
    for name in names:
        if value := os.environ.get(name):
            shown = iface("it is set") if name == TOKEN_VARIABLE else value
            text = iface("The variable {name} overrides this: {value}", name=name, value=shown)
            layout.label(text=text, icon="INFO", translate=False)


def _draw_check(layout: bpy.types.UILayout, session: CheckSession) -> None:
    status = session.status
    box = layout.box()
    if isinstance(session, SetupSession) and session.over:
        text = "Ended after {time}" if status.error else "Set up in {time}"
        box.label(text=iface(text, time=duration(session.seconds)), icon="TIME", translate=False)
    for finding in session.findings:
        draw_text(box, finding.text, icon=ICONS[finding.level], width=WIDTH)
    told = {finding.text for finding in session.findings}
    if status.error and status.error not in told:
        draw_text(box, status.error, icon="CANCEL" if status.stage == "cancelled" else "ERROR", width=WIDTH)
    if not session.over:
        draw_progress(box, status, WIDTH)
