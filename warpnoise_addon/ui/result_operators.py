"""The results of the scene's job folder: their list, and operators that show, play, switch and delete them.

Blender reads the annotations when it registers the classes: no `annotations` future here.
"""

import os
from pathlib import Path
from typing import Any

import bpy
from bpy.props import StringProperty

from .. import compat
from ..compositor import add_stylized
from ..compositor.colorspace import view_inverse
from ..compositor.sequence import ONLY_NEGATIVE, Sequence, read_sequence
from ..errors import JobFolderError
from ..frame_ranges import frame_name
from ..results import CURRENT, current_folder, list_results, remove_result, use_result
from ..settings import describe
from .image_editor import sequence_name, show_sequence
from .make_request import existing_output, output_folder, read_changed
from .operator_mixins import AskFirst, Mixin, WhenIdle, reporting, warn
from .texts import iface, sentence


def draw_results(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """All results, the one in use marked, and buttons for it."""
    if (job := existing_output(context.scene, "results")) is not None:
        _draw_list(layout, job)
    column = layout.column()
    column.operator("warpnoise.add_to_compositor", icon="NODE_COMPOSITING")
    column.operator("warpnoise.add_strip", icon="SEQUENCE")
    column.operator("warpnoise.show_frames", icon="IMAGE_DATA")
    column.operator("warpnoise.open_movie", icon="PLAY")


def _draw_list(layout: bpy.types.UILayout, job: Path) -> None:
    results = read_changed(list_results, job, job / "results", *(job / "results").glob("*/frames"))
    if not results:
        return
    column, current = layout.box().column(align=True), current_folder(job)
    for result in results:
        row = column.row(align=True)
        row.label(text=f"{describe(result.settings, iface)}  ({result.frames})", icon="RENDER_RESULT", translate=False)
        if result.folder == current:
            row.label(text="", icon="CHECKMARK")
        else:
            row.operator("warpnoise.use_result", text="", icon="FILE_REFRESH").result = result.name
            row.operator("warpnoise.remove_result", text="", icon="X").result = result.name


class _ShowsFrames(Mixin):
    """Mixin: needs finished frames of the result in use."""

    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012  Blender's own way

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if context.scene is None or existing_output(context.scene, CURRENT) is None:
            cls.poll_message_set("The output folder has no stylized frames yet")
            return False
        return True

    def sequence(self, context: bpy.types.Context) -> Sequence:
        """The frames; missing ones are reported. Raises JobFolderError: there are none that can be shown."""
        sequence, warnings = read_sequence(output_folder(context.scene))
        if sequence is None:
            raise JobFolderError(ONLY_NEGATIVE)
        warn(self, warnings)
        return sequence


class WARPNOISE_OT_add_strip(_ShowsFrames, bpy.types.Operator):
    """Add the stylized frames to the video sequencer, in a channel above the others. Renders then show the sequencer"""

    bl_idname = "warpnoise.add_strip"
    bl_label = "Add to Sequencer"

    @reporting
    def execute(self, context: bpy.types.Context) -> str:
        sequence, scene = self.sequence(context), compat.sequencer_scene(context)
        strips = compat.sequencer_strips(scene)
        old = [strip for strip in strips if _shows(strip, sequence.folder)]
        channel = old[0].channel if old else max((strip.channel for strip in strips), default=0) + 1
        for strip in old:
            strips.remove(strip)
        strip = strips.new_image(
            name=f"Stylized {sequence.folder.name}",
            filepath=str(sequence.path),
            channel=min(channel, compat.SEQUENCER_CHANNELS),
            frame_start=sequence.first,
        )
        # A file for each of Blender's frames: with a step, or if one is missing, the one before stays.
        shown = sequence.path.name
        for frame in range(sequence.first + 1, sequence.shown_last + 1):
            path = sequence.path.with_name(f"{frame_name(frame)}.png")
            on_step = (frame - sequence.first) % sequence.step == 0
            shown = path.name if on_step and path.is_file() else shown
            strip.elements.append(shown)
        compat.set_strip_duration(strip, sequence.shown_last - sequence.first + 1)
        strip.colorspace_settings.name = view_inverse(context.scene).colorspace
        text = "The strip '{strip}' is in channel {channel} of '{scene}'"
        return sentence(text, strip=strip.name, channel=strip.channel, scene=scene.name)


class WARPNOISE_OT_show_frames(_ShowsFrames, bpy.types.Operator):
    """Open the stylized frames as an image sequence, and show it in an image editor where one is open"""

    bl_idname = "warpnoise.show_frames"
    bl_label = "Show in Image Editor"

    @reporting
    def execute(self, context: bpy.types.Context) -> str:
        sequence = self.sequence(context)
        shown = show_sequence(context, sequence)
        text = "The image '{image}' is shown" if shown else "Open an image editor and choose the image '{image}'"
        return sentence(text, image=sequence_name(sequence))


class WARPNOISE_OT_open_movie(bpy.types.Operator):
    """Open the stylized movie in the system's player"""

    bl_idname = "warpnoise.open_movie"
    bl_label = "Play Movie"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if _movie(context) is None:
            cls.poll_message_set("There is no movie yet in the output folder")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        bpy.ops.wm.path_open(filepath=str(_movie(context)))
        return {"FINISHED"}


def _movie(context: bpy.types.Context) -> Path | None:
    job = existing_output(context.scene, CURRENT) if context.scene is not None else None
    result = current_folder(job) if job is not None else None
    return result / "movie.mp4" if result is not None and (result / "movie.mp4").is_file() else None


class _OfResult(WhenIdle):
    """Mixin: acts on one result of the scene's job folder."""

    result: StringProperty(name="Result", description="Its folder in JOB/results", options={"SKIP_SAVE"})


class WARPNOISE_OT_use_result(_OfResult, bpy.types.Operator):
    """Show this result in the compositor, the sequencer and the image editor. The previous one stays in its folder"""

    bl_idname = "warpnoise.use_result"
    bl_label = "Use Result"

    @reporting
    def execute(self, context: bpy.types.Context) -> str:
        job = output_folder(context.scene)
        result = use_result(job, self.result)
        _point_to(job, result.folder)
        return sentence("The result {result} is in use", result=describe(result.settings, iface))


class WARPNOISE_OT_remove_result(AskFirst, _OfResult, bpy.types.Operator):
    """Delete this result's frames and movie from the disk"""

    bl_idname = "warpnoise.remove_result"
    bl_label = "Delete Result"
    deletes = "result"

    @reporting
    def execute(self, context: bpy.types.Context) -> str:
        remove_result(output_folder(context.scene), self.result)
        return sentence("The result {result} is deleted", result=self.result)


class WARPNOISE_OT_add_to_compositor(bpy.types.Operator):
    """Add the finished frames in the output folder to the compositor, or update their group"""

    bl_idname = "warpnoise.add_to_compositor"
    bl_label = "Add to the Compositor"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012  Blender's own way

    output: StringProperty(
        name="Output", description="The job folder. Empty: the scene's", subtype="DIR_PATH", options={"SKIP_SAVE"}
    )

    @reporting
    def execute(self, context: bpy.types.Context) -> None:
        scene = context.scene
        warn(self, add_stylized(scene, output_folder(scene, self.output or None), scene.warpnoise.connect).warnings)


def _point_to(job: Path, result: Path) -> None:
    """What Blender shows of any result of the job shows this one from now on: images, the compositor's too, and strips.

    A frame that this result does not have is shown by none.
    """
    for image in bpy.data.images:
        shown = Path(bpy.path.abspath(image.filepath))
        if image.library is None and image.filepath and _is_frames_folder(shown.parent, job):
            path = str(result / "frames" / shown.name)
            image.filepath = bpy.path.relpath(path) if image.filepath.startswith("//") else path
            image.reload()
    for scene in bpy.data.scenes:
        for strip in compat.sequencer_strips(scene) if scene.sequence_editor else ():
            if _shows(strip, job):
                path = f"{result / 'frames'}{os.sep}"
                strip.directory = bpy.path.relpath(path) if strip.directory.startswith("//") else path


def _shows(strip: Any, job: Path) -> bool:
    return strip.type == "IMAGE" and _is_frames_folder(Path(bpy.path.abspath(strip.directory)), job)


def _is_frames_folder(folder: Path, job: Path) -> bool:
    """Whether it is ``JOB/results/NAME/frames``."""
    path = folder.resolve()
    return path.name == "frames" and list(path.parents)[1:2] == [job.resolve() / "results"]
