"""The results of the scene's job folder, listed, switched between and removed.

Blender reads the annotations when it registers the classes: no `annotations` future here.
"""

from pathlib import Path

import bpy
from bpy.props import StringProperty

from .. import compat
from ..errors import WarpnoiseError
from ..stylize import state
from ..stylize.kept_results import Result, kept_results, present_result, remove_result, use_result
from .options import output_folder
from .texts import sentence


class _OnResult:
    """Mixin: what is done to a kept result of the scene's job folder; what is wrong with it is reported."""

    result: StringProperty(name="Result", description="Its folder in JOB/results", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if state.running() is not None:
            cls.poll_message_set("Something runs just now")
            return False
        return context.scene is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            said = self.do(context, output_folder(context.scene, context.scene.warpnoise.output))
        except WarpnoiseError as error:
            self.report({"ERROR"}, sentence(str(error)))
            return {"CANCELLED"}
        self.report({"INFO"}, said)
        return {"FINISHED"}


class WARPNOISE_OT_use_result(_OnResult, bpy.types.Operator):
    """Show this result, in the compositor, the sequencer and the image editor, in place of the one that is there now.
    That one is kept"""

    bl_idname = "warpnoise.use_result"
    bl_label = "Use Result"

    def do(self, context: bpy.types.Context, job: Path) -> str:
        use_result(job, self.result)
        _reload(job)
        return f"The result {present_result(job).label} is in use"


class WARPNOISE_OT_remove_result(_OnResult, bpy.types.Operator):
    """Delete this result's frames and movie from the disk"""

    bl_idname = "warpnoise.remove_result"
    bl_label = "Delete Result"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_confirm(self, event)

    def do(self, context: bpy.types.Context, job: Path) -> str:
        remove_result(job, self.result)
        return f"The result {self.result} is deleted"


def _reload(job: Path) -> None:
    """What Blender has of the frames is that of another result."""
    frames = (job / "stylized").resolve()
    for image in bpy.data.images:
        if image.library is None and Path(bpy.path.abspath(image.filepath)).resolve().parent == frames:
            image.reload()
    for scene in bpy.data.scenes:
        for strip in compat.sequencer_strips(scene) if scene.sequence_editor else ():
            if strip.type == "IMAGE" and Path(bpy.path.abspath(strip.directory)).resolve() == frames:
                strip.directory = strip.directory  # Blender forgets what it has read


_listed: tuple[object, Result | None, list[Result]] = (None, None, [])


def _results(job: Path) -> tuple[Result | None, list[Result]]:
    """Those of the folder, read again only when something of it has changed: this is asked for whenever it is drawn."""
    global _listed
    seen = [job]
    for part in ("results", "records", "stylized"):
        try:
            seen.append((job / part).stat().st_mtime_ns)
        except OSError:
            seen.append(None)
    if _listed[0] != seen:
        _listed = (seen, present_result(job), kept_results(job))
    return _listed[1], _listed[2]


def draw_kept(layout: bpy.types.UILayout, job: Path) -> None:
    """The result in use and the others; nothing where there is only one."""
    present, kept = _results(job)
    if not kept:
        return
    column = layout.box().column(align=True)
    if present is not None:
        _draw_row(column, present).label(text="", icon="CHECKMARK")
    for result in kept:
        row = _draw_row(column, result)
        row.operator("warpnoise.use_result", text="", icon="FILE_REFRESH").result = result.name
        row.operator("warpnoise.remove_result", text="", icon="X").result = result.name


def _draw_row(layout: bpy.types.UILayout, result: Result) -> bpy.types.UILayout:
    row = layout.row(align=True)
    row.label(text=f"{result.label}  ({result.frames})", icon="RENDER_RESULT")
    return row
