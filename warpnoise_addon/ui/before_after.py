"""Switches the image editor between a stylized preview and the render from which it was made.

Blender reads the annotations when it registers the classes: no `annotations` future here.
"""

from pathlib import Path

import bpy

from ..frame_ranges import frame_name
from ..results import frame_path
from .modal_session import areas

AFTER, BEFORE = "Warpnoise Preview", "Warpnoise Preview, Render"


def show_preview(context: bpy.types.Context, job: Path, result: Path, frame: int) -> bool:
    """Load both pictures of a job's frame and show the stylized one; whether an image editor is open to show it."""
    _load(BEFORE, job / "color" / f"{frame_name(frame)}.png")
    _load(AFTER, frame_path(result, frame))
    return show_image(context, bpy.data.images[AFTER]) > 0


def show_image(context: bpy.types.Context, image: bpy.types.Image) -> int:
    """Show the image in every image editor of every window, and return how many there are."""
    editors = areas(context, "IMAGE_EDITOR")
    for area in editors:
        area.spaces.active.image = image
        area.tag_redraw()
    return len(editors)


def _load(name: str, path: Path) -> None:
    image = bpy.data.images.get(name)
    if image is None or image.library is not None:
        image = bpy.data.images.load(str(path), check_existing=False)
        image.name = name
    image.source = "FILE"
    image.filepath = str(path)
    image.reload()


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
        show_image(context, bpy.data.images[BEFORE if _shown(context) == AFTER else AFTER])
        return {"FINISHED"}


def is_before(context: bpy.types.Context) -> bool:
    """Whether it is the render that is shown."""
    return _shown(context) == BEFORE


def _shown(context: bpy.types.Context) -> str:
    """The name of the image in the first image editor that shows one of the two."""
    images = (area.spaces.active.image for area in areas(context, "IMAGE_EDITOR"))
    return next((image.name for image in images if image is not None and image.name in (AFTER, BEFORE)), "")
