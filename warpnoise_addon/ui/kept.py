"""The results of the scene's job folder, listed, switched between and removed.

Blender reads the annotations when it registers the classes: no `annotations` future here.
"""

import contextlib
import os
from pathlib import Path

import bpy
from bpy.props import StringProperty

from .. import compat
from ..errors import WarpnoiseError
from ..results import Result, current_folder, list_results, remove_result, use_result
from ..stylize import state
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
    That one stays in its folder"""

    bl_idname = "warpnoise.use_result"
    bl_label = "Use Result"

    def do(self, context: bpy.types.Context, job: Path) -> str:
        result = use_result(job, self.result)
        point_to(job, result.folder)
        return f"The result {result.label} is in use"


class WARPNOISE_OT_remove_result(_OnResult, bpy.types.Operator):
    """Delete this result's frames and movie from the disk"""

    bl_idname = "warpnoise.remove_result"
    bl_label = "Delete Result"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_confirm(self, event)

    def do(self, context: bpy.types.Context, job: Path) -> str:
        remove_result(job, self.result)
        return f"The result {self.result} is deleted"


def is_frames_folder(folder: Path, job: Path) -> bool:
    """Whether it is ``JOB/results/NAME/frames``."""
    path = folder.resolve()
    return path.name == "frames" and list(path.parents)[1:2] == [job.resolve() / "results"]


def point_to(job: Path, result: Path) -> None:
    """What Blender shows of any result of the job shows this one from now on: images, the compositor's too, and strips.

    A frame that this result does not have is shown by none.
    """
    for image in bpy.data.images:
        shown = Path(bpy.path.abspath(image.filepath))
        if image.library is None and image.filepath and is_frames_folder(shown.parent, job):
            path = str(result / "frames" / shown.name)
            image.filepath = bpy.path.relpath(path) if image.filepath.startswith("//") else path
            image.reload()
    for scene in bpy.data.scenes:
        for strip in compat.sequencer_strips(scene) if scene.sequence_editor else ():
            if strip.type == "IMAGE" and is_frames_folder(Path(bpy.path.abspath(strip.directory)), job):
                path = f"{result / 'frames'}{os.sep}"
                strip.directory = bpy.path.relpath(path) if strip.directory.startswith("//") else path


_listed: tuple[object, list[Result]] = (None, [])


def _results(job: Path) -> list[Result]:
    """Those of the folder, read again only when something of it has changed: this is asked for whenever it is drawn."""
    global _listed
    seen: list[object] = [job]
    for path in (job / "results", *(job / "results").glob("*/frames")):
        with contextlib.suppress(OSError):
            seen.append((path, path.stat().st_mtime_ns))
    if _listed[0] != seen:
        _listed = (seen, list_results(job))
    return _listed[1]


def draw_kept(layout: bpy.types.UILayout, job: Path) -> None:
    """All results, the one in use marked; nothing where there are none."""
    results, current = _results(job), current_folder(job)
    if not results:
        return
    column = layout.box().column(align=True)
    for result in results:
        row = column.row(align=True)
        row.label(text=f"{result.label}  ({result.frames})", icon="RENDER_RESULT", translate=False)
        if result.folder == current:
            row.label(text="", icon="CHECKMARK")
            continue
        row.operator("warpnoise.use_result", text="", icon="FILE_REFRESH").result = result.name
        row.operator("warpnoise.remove_result", text="", icon="X").result = result.name
