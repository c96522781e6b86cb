"""Set Up: an environment with the backend, after a dialog that says what will be done.

Blender reads the annotations when it registers the class, so they must not be postponed.
"""

from pathlib import Path

import bpy
from bpy.props import EnumProperty, StringProperty

from ..errors import WarpnoiseError
from ..setup.hardware import BUILDS, detect
from ..setup.plan import Plan, check_source, default_source
from ..setup.pythons import find_python
from ..stylize import state
from ..stylize.setup_session import SetupSession
from .managed import environments
from .online import offline
from .preferences import preferences
from .texts import draw_text, sentence
from .watching import SessionWatcher

ROOT = Path(__file__).resolve().parents[2]
WIDTH = 600
LETTERS = 88
NO_DOWNLOAD = "nothing can be downloaded"


class WARPNOISE_OT_set_up(SessionWatcher, bpy.types.Operator):
    """Make a Python environment with the backend. Says first what is downloaded, and where to"""

    bl_idname = "warpnoise.set_up"
    bl_label = "Set Up the Backend"

    build: EnumProperty(
        name="PyTorch for",
        description="Which build of PyTorch is installed",
        items=[(build.name, build.title, f"About {build.download:g} GB are downloaded") for build in BUILDS.values()],
        default="cpu",
        options={"SKIP_SAVE"},
    )
    python: StringProperty(
        name="Python",
        description="What makes the environment. Empty: Blender's own Python, or else the first on the PATH that can",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )
    source: StringProperty(
        name="Package",
        description="The backend's package: `warpnoise==VERSION` of pip's index, a wheel, or the folder of its source",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if state.running() is not None:
            cls.poll_message_set("Something runs already")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self._hardware = detect()
        if not self.properties.is_property_set("build"):
            self.build = self._hardware.build
        if not self.source:
            self.source = default_source(ROOT)
        self._folder = environments().folder
        try:
            self._python, self._trouble = find_python(self.python).path, ""
        except WarpnoiseError as error:
            self._python, self._trouble = "", str(error)
        return context.window_manager.invoke_props_dialog(self, width=WIDTH, confirm_text="Download and Install")

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        if refusal := offline(NO_DOWNLOAD):
            draw_text(layout, refusal, icon="ERROR", width=LETTERS)
        found = self._hardware.gpu or "no graphics card that PyTorch can use"
        build = BUILDS[self.build]
        text = (
            "PyTorch and the backend are installed into a Python environment of their own; about "
            f"{build.download:g} GB are downloaded. Blender's own Python is not changed. It takes some minutes, and "
            "can be cancelled."
        )
        draw_text(layout, text, icon="IMPORT", width=LETTERS)
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(self, "build")
        layout.label(text=f"Found: {found}", icon="INFO")
        layout.prop(self, "source")
        layout.prop(self, "python", placeholder=self._python)
        if self._trouble and not self.python:
            draw_text(layout, self._trouble, icon="ERROR", width=LETTERS)
        box = layout.box()
        plan = Plan(self.python or self._python or "python", self._folder / "...", build, self.source)
        for step in plan.steps:
            draw_text(box, str(step), icon="CONSOLE", width=LETTERS, capital=False)

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            if refusal := offline(NO_DOWNLOAD):
                raise WarpnoiseError(refusal)
            source = check_source(bpy.path.abspath(self.source) or default_source(ROOT))
            python = find_python(bpy.path.abspath(self.python)).path
            build = self.build if self.properties.is_property_set("build") else detect().build
            plan = Plan(python, environments().new(), BUILDS[build], source)
        except WarpnoiseError as error:
            self.report({"ERROR"}, sentence(str(error)))
            return {"CANCELLED"}
        session = SetupSession(state.pool, environments(), plan, model=context.scene.warpnoise.model or "default")
        state.begin(session)
        if not bpy.app.background:
            return self._watch(context)
        session.wait()
        state.last = session.status
        return self._ended(context)

    def _ended(self, context: bpy.types.Context) -> set[str]:
        status = state.last
        if status.stage != "done":
            self.report({"ERROR"}, sentence(status.error))
            return {"CANCELLED"}
        chosen = preferences(context)
        if chosen is not None:  # what was just made is what is used
            chosen.python, chosen.location = "", "HERE"
            context.preferences.is_dirty = True
        self.report({"INFO"}, f"The backend {status.backend} works, on {status.device}")
        return {"FINISHED"}
