"""The result back into Blender, on request: as a strip, in the image editor, as the movie.

Blender reads the annotations when it registers the classes: no `annotations` future here.
"""

from pathlib import Path
from typing import Any

import bpy

from .. import compat
from ..compositor.colorspace import view_inverse
from ..compositor.sequence import ONLY_NEGATIVE, Sequence, read_sequence
from ..errors import JobFolderError, WarpnoiseError
from ..names import frame_name
from ..results import CURRENT, current_folder
from .kept import draw_kept, is_frames_folder
from .options import existing_output, output_folder
from .texts import sentence


class _OfResult:
    """Mixin: there has to be a folder of finished frames; what is wrong with it is reported."""

    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012  Blender's own way

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if context.scene is None or existing_output(context.scene, CURRENT) is None:
            cls.poll_message_set("No frame is stylized yet in the output folder")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            sequence, warnings = read_sequence(output_folder(context.scene, context.scene.warpnoise.output))
            if sequence is None:
                raise JobFolderError(ONLY_NEGATIVE)
            said = self.bring(context, sequence)
        except WarpnoiseError as error:
            self.report({"ERROR"}, sentence(str(error)))
            return {"CANCELLED"}
        for text in warnings:
            self.report({"WARNING"}, sentence(text))
        self.report({"INFO"}, said)
        return {"FINISHED"}


class WARPNOISE_OT_add_strip(_OfResult, bpy.types.Operator):
    """Add the stylized frames to the video sequencer, from the frame on at which they begin, in a channel above all.
    A strip that shows them already is replaced. A render then shows the sequencer"""

    bl_idname = "warpnoise.add_strip"
    bl_label = "Add to Sequencer"

    def bring(self, context: bpy.types.Context, sequence: Sequence) -> str:
        scene = compat.sequencer_scene(context)
        strips = compat.sequencer_strips(scene)
        old = [strip for strip in strips if _shows(strip, sequence)]
        channel = old[0].channel if old else max((strip.channel for strip in strips), default=0) + 1
        for strip in old:
            strips.remove(strip)
        strip = strips.new_image(
            name=f"Stylized {sequence.folder.name}",
            filepath=str(sequence.path),
            channel=min(channel, compat.SEQUENCER_CHANNELS),
            frame_start=sequence.first,
        )
        for name in list(_held(sequence))[1:]:  # the first one is there
            strip.elements.append(name)
        compat.set_strip_duration(strip, sequence.shown_last - sequence.first + 1)
        strip.colorspace_settings.name = view_inverse(context.scene).colorspace
        return f"The strip '{strip.name}' is in channel {strip.channel} of '{scene.name}'"


def _shows(strip: Any, sequence: Sequence) -> bool:
    if strip.type != "IMAGE":
        return False
    return is_frames_folder(Path(bpy.path.abspath(strip.directory)), sequence.folder)


def _held(sequence: Sequence) -> list[str]:
    """The file of each of Blender's frames: with a step, or where one is missing, the one before stays."""
    names, shown = [], sequence.path.name
    for frame in range(sequence.first, sequence.shown_last + 1):
        path = sequence.path.with_name(f"{frame_name(frame)}.png")
        on_step = (frame - sequence.first) % sequence.step == 0
        shown = path.name if on_step and path.is_file() else shown
        names.append(shown)
    return names


class WARPNOISE_OT_show_frames(_OfResult, bpy.types.Operator):
    """Open the stylized frames as an image sequence, and show it in an image editor where one is open"""

    bl_idname = "warpnoise.show_frames"
    bl_label = "Show in Image Editor"

    def bring(self, context: bpy.types.Context, sequence: Sequence) -> str:
        name = f"Stylized {sequence.folder.name} Frames"
        image = bpy.data.images.get(name)
        if image is None or image.library is not None:
            image = bpy.data.images.load(str(sequence.path), check_existing=False)
            image.name = name
        image.source = "SEQUENCE"
        image.filepath = str(sequence.path)
        image.reload()
        shown = 0
        for window in context.window_manager.windows:
            for area in window.screen.areas:
                if area.type == "IMAGE_EDITOR":
                    _show(area.spaces.active, image, sequence)
                    area.tag_redraw()
                    shown += 1
        return f"The image '{image.name}' is shown" if shown else f"Open an image editor and choose '{image.name}'"


def _show(space: bpy.types.SpaceImageEditor, image: bpy.types.Image, sequence: Sequence) -> None:
    space.image = image
    user = space.image_user
    user.frame_start = sequence.first
    user.frame_duration = sequence.shown_last - sequence.first + 1
    user.frame_offset = sequence.first - 1
    user.use_auto_refresh = True


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
        return bpy.ops.wm.path_open(filepath=str(_movie(context)))


def _movie(context: bpy.types.Context) -> Path | None:
    job = existing_output(context.scene, CURRENT) if context.scene is not None else None
    result = current_folder(job) if job is not None else None
    return result / "movie.mp4" if result is not None and (result / "movie.mp4").is_file() else None


def draw_results(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    job = existing_output(context.scene, "results")
    if job is not None:
        draw_kept(layout, job)
    column = layout.column()
    column.operator("warpnoise.add_to_compositor", icon="NODE_COMPOSITING")
    column.operator("warpnoise.add_strip", icon="SEQUENCE")
    column.operator("warpnoise.show_frames", icon="IMAGE_DATA")
    column.operator("warpnoise.open_movie", icon="PLAY")
