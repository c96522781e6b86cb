"""Operators of the preferences: check the backend, set it up, enter a server's token.

Blender reads the annotations when it registers the classes, so they must not be postponed.
"""

from pathlib import Path

import bpy
from bpy.props import EnumProperty, StringProperty

from ..atomic import atomic_write
from ..errors import SettingsError, WarpnoiseError, writing
from ..setup.environments import find_python
from ..setup.hardware import BUILDS, Build, detect
from ..setup.plan import Plan, brought_package, check_wheels
from ..stylize import state
from ..stylize.check import CheckSession, SetupSession
from .operator_mixins import SessionOperator, reporting, warn
from .preferences import backend_choice, environments, offline, preferences
from .texts import draw_text, iface, sentence

WIDTH = 600
LETTERS = 88
DOWNLOADS = (
    "Creates a Python environment with PyTorch and the backend. Downloads about {gigabytes:g} GB. Blender's own "
    "Python stays as it is. This takes some minutes. Press Cancel to stop it."
)
FROM_FOLDER = (
    "Creates a Python environment with PyTorch and the backend from the wheels in this folder. Downloads nothing. "
    "Blender's own Python stays as it is."
)
NO_DOWNLOAD = "nothing can be downloaded"
TOKEN_FILE = "warpnoise-token"
WORKS = "The backend {name} works, on {device}"


class WARPNOISE_OT_check_backend(SessionOperator, bpy.types.Operator):
    """Start the backend and report its state, or each problem and its solution"""

    bl_idname = "warpnoise.check_backend"
    bl_label = "Check the Backend"

    def execute(self, context: bpy.types.Context) -> set[str]:
        session = CheckSession(state.pool, backend_choice(context), context.scene.warpnoise.model or "default")
        return self._run(context, session)

    def _done(self, context: bpy.types.Context) -> set[str]:
        status = state.last
        session = state.session
        if isinstance(session, CheckSession):
            warn(self, (finding.text for finding in session.findings if finding.level != "OK"))
        self.report({"INFO"}, sentence(WORKS, name=status.backend, device=status.device))
        return {"FINISHED"}


class WARPNOISE_OT_enter_token(bpy.types.Operator):
    """Write the server's token into a file that only you can read, and enter that file here"""

    bl_idname = "warpnoise.enter_token"
    bl_label = "Enter the Token"
    bl_options = {"INTERNAL"}  # noqa: RUF012  without REGISTER: what is entered is in no log

    token: StringProperty(
        name="Token",
        description="The content of the token file of `warpnoise serve`",
        subtype="PASSWORD",
        options={"SKIP_SAVE", "HIDDEN"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return preferences(context) is not None

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_props_dialog(self, width=420)

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.prop(self, "token")
        self.layout.label(text=iface("It is written to {path}", path=token_path()), translate=False)

    @reporting
    def execute(self, context: bpy.types.Context) -> None:
        token, self.token = self.token.strip(), ""
        write_token(token_path(), token)
        if (chosen := preferences(context)) is not None:
            chosen.token_file = str(token_path())


def token_path() -> Path:
    """In the folder of Blender's own user configuration."""
    return Path(bpy.utils.user_resource("CONFIG")) / TOKEN_FILE


def write_token(path: Path, token: str) -> None:
    """A file of mode 0600 from its first byte on, written beside and renamed.

    Raises SettingsError: not a token, or the file cannot be written.
    """
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise SettingsError("expected a token: visible ASCII characters without spaces")
    with writing(path, SettingsError):
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, f"{token}\n", private=True)


class WARPNOISE_OT_set_up(SessionOperator, bpy.types.Operator):
    "Install the backend and PyTorch. The dialog first shows the size and the folder of the download"

    bl_idname = "warpnoise.set_up"
    bl_label = "Set Up the Backend"

    build: EnumProperty(
        name="PyTorch for",
        description="Which build of PyTorch to install",
        items=[(build.name, build.title, f"About {build.download:g} GB to download") for build in BUILDS.values()],
        default="cpu",
        options={"SKIP_SAVE"},
    )
    wheels: StringProperty(
        name="Folder of Wheels",
        description="Install from the wheels in this folder, without the network. Empty: download",
        subtype="DIR_PATH",
        options={"SKIP_SAVE"},
    )
    python: StringProperty(
        name="Python",
        description="The Python that creates the environment. Empty: Blender's own, or else the first suitable one on "
        "the PATH",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self._hardware = detect()
        if not self.properties.is_property_set("build"):
            self.build = self._hardware.build
        self._folder = environments().folder
        try:
            brought_package()
            self._python, self._trouble = find_python(self.python).path, ""
        except WarpnoiseError as error:
            self._python, self._trouble = "", str(error)
        return context.window_manager.invoke_props_dialog(self, width=WIDTH, confirm_text="Install")

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        build = BUILDS[self.build]
        if self.wheels:
            draw_text(layout, FROM_FOLDER, icon="IMPORT", width=LETTERS)
        else:
            if refusal := offline(NO_DOWNLOAD):
                draw_text(layout, refusal, icon="ERROR", width=LETTERS)
            draw_text(layout, iface(DOWNLOADS, gigabytes=build.download), icon="IMPORT", width=LETTERS)
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(self, "build")
        found = self._hardware.gpu or iface("No graphics card that PyTorch can use")
        layout.label(text=iface("Found: {hardware}", hardware=found), icon="INFO", translate=False)
        if self._hardware.advice:
            draw_text(layout, self._hardware.advice, icon="INFO", width=LETTERS)
        layout.prop(self, "wheels", placeholder="Download")
        layout.prop(self, "python", placeholder=self._python)
        if self._trouble and not self.python:
            draw_text(layout, self._trouble, icon="ERROR", width=LETTERS)
            return
        box = layout.box()
        for step in self._plan(self.python or self._python, self._folder / "...", build).steps:
            draw_text(box, str(step), icon="CONSOLE", width=LETTERS, capital=False)

    def _plan(self, python: str, folder: Path, build: Build) -> Plan:
        wheels = Path(bpy.path.abspath(self.wheels)) if self.wheels else None
        return Plan(python, folder, build, brought_package(), wheels)

    @reporting
    def execute(self, context: bpy.types.Context) -> set[str]:
        if self.wheels:
            check_wheels(Path(bpy.path.abspath(self.wheels)))
        elif refusal := offline(NO_DOWNLOAD):
            raise WarpnoiseError(refusal)
        build = self.build if self.properties.is_property_set("build") else detect().build
        python = find_python(bpy.path.abspath(self.python)).path
        plan = self._plan(python, environments().new(), BUILDS[build])
        session = SetupSession(state.pool, environments(), plan, model=context.scene.warpnoise.model or "default")
        return self._run(context, session)

    def _done(self, context: bpy.types.Context) -> set[str]:
        status = state.last
        chosen = preferences(context)
        if chosen is not None:  # what was just made is what is used
            chosen.python, chosen.location = "", "HERE"
            context.preferences.is_dirty = True
        self.report({"INFO"}, sentence(WORKS, name=status.backend, device=status.device))
        return {"FINISHED"}
