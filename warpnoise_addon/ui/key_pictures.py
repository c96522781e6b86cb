"""Key pictures: frames that the user has painted, toward which other frames are drawn.

They are files of the shot, JOB/keys/0012.png. Blender reads the annotations when it registers the classes: no
`annotations` future here.
"""

import shutil
import struct
from pathlib import Path

import bpy
from bpy.props import IntProperty, StringProperty

from ..atomic import replacing
from ..errors import JobFolderError, writing
from ..export.rendering import render_size
from ..frame_ranges import frame_name
from .make_request import existing_output, output_folder
from .operator_mixins import AskFirst, reporting
from .texts import iface

FOLDER = "keys"
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def draw_key_pictures(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The frames that have one, and a button for another."""
    layout.label(text="Key Pictures")
    folder = existing_output(context.scene, FOLDER)
    for path in sorted((folder / FOLDER).glob("*.png")) if folder is not None else ():
        row = layout.row(align=True)
        row.label(text=path.name, icon="KEYFRAME_HLT", translate=False)
        row.operator("warpnoise.remove_key_picture", text="", icon="X").name = path.name
    text = iface("Add for Frame {frame}...", frame=context.scene.frame_current)
    button = layout.operator("warpnoise.add_key_picture", text=text, icon="ADD", translate=False)
    button.frame = context.scene.frame_current


def png_size(path: Path) -> tuple[int, int]:
    """Width and height. Raises JobFolderError: it is no PNG file."""
    try:
        with path.open("rb") as file:
            start = file.read(24)
    except OSError as error:
        raise JobFolderError("{path} cannot be read: {reason}", path=path, reason=error.strerror) from None
    if start[:8] != SIGNATURE or len(start) < 24:
        raise JobFolderError("{path} is not a PNG picture. Save it as PNG", path=path)
    width, height = struct.unpack(">II", start[16:24])
    return width, height


class WARPNOISE_OT_add_key_picture(bpy.types.Operator):
    """Copy your painted version of this frame into the job folder. Other frames are drawn toward it"""

    bl_idname = "warpnoise.add_key_picture"
    bl_label = "Add Key Picture"

    filepath: StringProperty(name="Picture", subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(name="Filter", default="*.png", options={"HIDDEN"})
    frame: IntProperty(name="Frame", description="The frame that the picture shows", options={"SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    @reporting
    def execute(self, context: bpy.types.Context) -> None:
        scene, source = context.scene, Path(bpy.path.abspath(self.filepath))
        size, wanted = png_size(source), render_size(scene)
        if size != wanted:
            raise JobFolderError(
                "{path} has {width} x {height} pixels; the render has {wanted_width} x {wanted_height}. Save it in "
                "the render's size",
                path=source,
                width=size[0],
                height=size[1],
                wanted_width=wanted[0],
                wanted_height=wanted[1],
            )
        target = output_folder(scene) / FOLDER / f"{frame_name(self.frame)}.png"
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            with source.open("rb") as file, replacing(target) as copy:
                shutil.copyfileobj(file, copy)


class WARPNOISE_OT_remove_key_picture(AskFirst, bpy.types.Operator):
    """Delete this key picture from the job folder"""

    bl_idname = "warpnoise.remove_key_picture"
    bl_label = "Delete Key Picture"
    deletes = "name"

    name: StringProperty(name="Name", options={"SKIP_SAVE", "HIDDEN"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        folder = existing_output(context.scene, FOLDER)
        if folder is None or Path(self.name).name != self.name:
            return {"CANCELLED"}
        (folder / FOLDER / self.name).unlink(missing_ok=True)
        return {"FINISHED"}
