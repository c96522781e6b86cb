"""The operators of a run. The panel's button, the command and scripts all call `warpnoise.stylize`.

Blender reads the annotations when it registers the classes, so they must not be postponed: no `annotations` future
here.
"""

from dataclasses import replace
from functools import partial

import bpy
from bpy.props import EnumProperty

from ..compositor import add_stylized
from ..errors import WarpnoiseError
from ..stylize import state
from ..stylize.blocking import stylize_blocking
from ..stylize.request import StylizeRequest
from ..stylize.second_blender import prepare_export, remove_copy
from ..stylize.session import StylizeSession
from ..stylize.status import Status
from . import icons
from .first_run import leave_trial, show_trial
from .image_editor import AFTER, show_preview
from .make_request import make_request
from .operator_mixins import SessionOperator, redraw, warn
from .properties import SettingsProperties
from .texts import iface, sentence


class WARPNOISE_OT_stylize(SessionOperator, SettingsProperties, bpy.types.Operator):
    """Render the animation, stylize its frames, and add them to the compositor"""

    bl_idname = "warpnoise.stylize"
    bl_label = "Stylize Animation"
    bl_options = {"UNDO"}  # noqa: RUF012  Blender's own way

    progress: EnumProperty(
        name="Progress",
        description="The progress lines that are printed in background mode",
        items=(
            ("TEXT", "Text", "A line of text for each frame"),
            ("JSON", "JSON", "A line of JSON for each change"),
            ("OPENJD", "Open Job Description", "Lines for a worker of Open Job Description"),
            ("NONE", "None", "Nothing"),
        ),
        options={"SKIP_SAVE"},
    )

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        if properties.is_property_set("preview"):
            return iface(
                "Stylize only this frame, with the noise of the whole shot, and show it in the image editor. This "
                "also renders the motion of earlier frames, which moves the noise. Results do not change"
            )
        if properties.is_property_set("size"):
            return iface(
                "Render some frames small, stylize them, open the result, and have playback show only these frames. "
                "The compositor stays as it is. Takes a minute or two on a laptop"
            )
        if properties.is_property_set("keep_existing"):
            return iface(
                "Resume the run with its settings and its finished frames. Use this only if the scene has not "
                "changed since"
            )
        return iface(cls.__doc__ or "")

    def execute(self, context: bpy.types.Context) -> set[str]:
        names = SettingsProperties.__annotations__
        arguments = {name: getattr(self, name) for name in names if self.properties.is_property_set(name)}
        try:
            request = make_request(context, arguments)
            if bpy.app.background:
                return self._block(context, request)
            command, copy = prepare_export(request)
        except WarpnoiseError as error:
            return self._fail(error)
        self._request = request
        leave_trial(context.scene)
        icons.clear_newest()
        state.begin(StylizeSession(state.pool, request, command, partial(remove_copy, copy.path)))
        warn(self, copy.warnings)
        return self._watch(context)

    def _block(self, context: bpy.types.Context, request: StylizeRequest) -> set[str]:
        printer = Printer(self.progress)
        status = stylize_blocking(context, state.pool, request, printer.show, state.cancel_requested.is_set)
        state.last = status
        if status.stage != "done":
            self.report({"ERROR"}, sentence(status.error))
            return {"CANCELLED"}
        return self._bring_back(context.scene, request)

    def _done(self, context: bpy.types.Context) -> set[str]:
        scene = bpy.data.scenes.get(self._request.scene)
        if scene is None:
            text = "The scene {scene} is gone; the frames are in {folder}"
            self.report({"WARNING"}, sentence(text, scene=self._request.scene, folder=self._request.folder))
            return {"CANCELLED"}
        return self._bring_back(scene, self._request)

    def _bring_back(self, scene: bpy.types.Scene, request: StylizeRequest) -> set[str]:
        try:
            text = self._show(scene, request)
        except WarpnoiseError as error:
            return self._fail(error)
        if text:
            self.report({"INFO"}, text)
        return {"FINISHED"}

    def _show(self, scene: bpy.types.Scene, request: StylizeRequest) -> str:
        """Show what the run made: a preview, a trial, or the frames in the compositor. Returns what to report."""
        if request.preview and request.color_frames and state.last.result:
            shown = show_preview(bpy.context, request.folder, state.last.result, request.color_frames[0])
            hidden = not shown and not bpy.app.background
            return sentence("Open an image editor and choose the image '{image}'", image=AFTER) if hidden else ""
        if request.size is not None and not request.connect:  # a trial: the compositor waits for the scene's size
            show_trial(bpy.context, scene, request)
            return ""
        if request.color_frames is not None:  # the compositor gets them when all are done, from a run over all
            return sentence("{count} stylized frames of a part of the shot", count=state.last.frames_done)
        added = add_stylized(scene, request.folder, request.connect)
        warnings = tuple(dict.fromkeys((*state.last.warnings, *added.warnings)))
        state.last = replace(state.last, warnings=warnings)
        warn(self, warnings)
        folder = state.last.result or request.folder
        return sentence("{count} stylized frames in {folder}", count=state.last.frames_done, folder=folder)

    def _fail(self, error: WarpnoiseError) -> set[str]:
        state.last = Status("failed", error=str(error), exit_status=error.exit_status)
        self.report({"ERROR"}, sentence(str(error)))
        return {"CANCELLED"}


class Printer:
    """Prints a run's progress: each finished frame as text, or each change as JSON or for Open Job Description."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._last: tuple[object, ...] = ()

    def show(self, status: Status) -> None:
        key: tuple[object, ...]
        if self._kind == "JSON":
            line, key = status.as_json(), (status,)
        elif self._kind == "OPENJD":
            line, key = status.as_openjd(), (status.as_openjd(),)
        else:
            line, key = status.as_text(), (status.stage, status.frames_done, status.frames_total)
        if self._kind != "NONE" and key != self._last:
            self._last = key
            print(line, flush=True)


class WARPNOISE_OT_cancel(bpy.types.Operator):
    """Stop after the current step. Finished frames are kept, and the next run continues from there"""

    bl_idname = "warpnoise.cancel"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return state.running() is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        session = state.running()
        if session is not None:
            session.cancel()
            redraw(context)
        return {"FINISHED"}
