"""Pictures in Blender's image editors: a stylized preview and its render, and the stylized frames."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import bpy

from ..compositor.sequence import Sequence
from ..frame_ranges import shot_file
from ..results import frame_path
from .operator_mixins import areas

AFTER, BEFORE = "Warpnoise Preview", "Warpnoise Preview, Render"


def show_preview(context: bpy.types.Context, job: Path, result: Path, frame: int) -> bool:
    """Load both pictures of a job's frame and show the stylized one; whether an image editor is open to show it."""
    _load(BEFORE, job / shot_file("color", frame))
    return _show(context, _load(AFTER, frame_path(result, frame)))


def show_sequence(context: bpy.types.Context, sequence: Sequence) -> bool:
    """Load a job's frames as an image sequence and show it; whether an image editor is open to show it."""
    return _show(context, _load(sequence_name(sequence), sequence.path, "SEQUENCE"), sequence)


def sequence_name(sequence: Sequence) -> str:
    """The name of the image that shows a job's frames."""
    return f"Stylized {sequence.folder.name} Frames"


def _load(name: str, path: Path, source: Literal["FILE", "SEQUENCE"] = "FILE") -> bpy.types.Image:
    image = bpy.data.images.get(name)
    if image is None or image.library is not None:
        image = bpy.data.images.load(str(path), check_existing=False)
        image.name = name
    image.source = source
    image.filepath = str(path)
    image.reload()
    return image


def _show(context: bpy.types.Context, image: bpy.types.Image, sequence: Sequence | None = None) -> bool:
    """Show the image in every image editor of every window; whether there is one."""
    editors = areas(context, "IMAGE_EDITOR")
    for area in editors:
        space = area.spaces.active
        space.image = image
        if sequence is not None:
            user = space.image_user
            user.frame_start = sequence.first
            user.frame_duration = sequence.shown_last - sequence.first + 1
            user.frame_offset = sequence.first - 1
            user.use_auto_refresh = True
        area.tag_redraw()
    return bool(editors)


class WARPNOISE_OT_before_after(bpy.types.Operator):
    """Switch between the render of the previewed frame and the stylized one"""

    bl_idname = "warpnoise.before_after"
    bl_label = "Before / After"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not {AFTER, BEFORE} <= set(bpy.data.images.keys()):
            cls.poll_message_set("Preview a frame first")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        _show(context, bpy.data.images[BEFORE if shown_preview(context) == AFTER else AFTER])
        return {"FINISHED"}


def shown_preview(context: bpy.types.Context) -> str:
    """``AFTER`` or ``BEFORE``, as the first image editor that shows one of the two; "": none does."""
    images = (area.spaces.active.image for area in areas(context, "IMAGE_EDITOR"))
    return next((image.name for image in images if image is not None and image.name in (AFTER, BEFORE)), "")
