"""After a trial, limits playback to its frames with Blender's preview range, until the user leaves the trial."""

from __future__ import annotations

import bpy


def is_trial(scene: bpy.types.Scene) -> bool:
    """Whether playback still shows a trial's frames."""
    return bool(scene.warpnoise.is_property_set("before_trial"))


def play_trial(scene: bpy.types.Scene, first: int, last: int) -> None:
    """Makes these frames the preview range, and stores the previous range in the scene, which a saved file keeps."""
    leave_trial(scene)
    before = scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end
    scene.warpnoise.before_trial = (*before, first, last)
    _set_range(scene, True, first, last)


def leave_trial(scene: bpy.types.Scene) -> None:
    """Put the preview range back. One that the user has changed since is left alone."""
    if not is_trial(scene):
        return
    on, start, end, *trial = scene.warpnoise.before_trial
    scene.warpnoise.property_unset("before_trial")
    if scene.use_preview_range and [scene.frame_preview_start, scene.frame_preview_end] == trial:
        _set_range(scene, bool(on), start, end)


def _set_range(scene: bpy.types.Scene, on: bool, start: int, end: int) -> None:
    scene.use_preview_range = True  # without it, Blender replaces the end
    scene.frame_preview_start, scene.frame_preview_end = start, end
    scene.use_preview_range = on


class WARPNOISE_OT_leave_trial(bpy.types.Operator):
    """Play the scene's frames again, with the preview range that it had before the trial"""

    bl_idname = "warpnoise.leave_trial"
    bl_label = "Play the Scene Again"
    bl_options = {"UNDO"}  # noqa: RUF012  Blender's own way

    def execute(self, context: bpy.types.Context) -> set[str]:
        leave_trial(context.scene)
        return {"FINISHED"}
