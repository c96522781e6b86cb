"""Leads to a first result: set up the backend, make a small trial of the scene, then the next steps.

After a trial, Blender's preview range limits playback to its frames, until the user leaves the trial.
"""

from __future__ import annotations

import bpy

from ..compositor.sequence import read_sequence
from ..errors import WarpnoiseError
from ..stylize import state
from ..stylize.backends import chosen_command, chosen_url
from ..stylize.request import StylizeRequest
from ..stylize.session import StylizeSession
from .image_editor import show_sequence
from .make_request import existing_output
from .preferences import backend_choice
from .texts import draw_text, iface, letters_in

SIZE = 256
"""Pixels of a trial's longer side: seconds a frame on a laptop's CPU."""
FRAMES = 12
NO_BACKEND = "Warpnoise needs PyTorch and its models. Press Set Up to install them"
PLAY = "Press Space in the image editor to play the result: {count} frames at {size} px. Next:"


def draw_first_run(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draws the first buttons for a new user, until the scene has a result."""
    if not has_backend(context):
        draw_text(layout, NO_BACKEND, icon="INFO", width=letters_in(context))
        layout.operator("warpnoise.set_up", text="Set Up...", icon="IMPORT")
    elif existing_output(context.scene, "results") is None:
        text = iface("Try It on This Scene at {size} px", size=SIZE)
        button = layout.operator("warpnoise.stylize", text=text, icon="PLAY", translate=False)
        button.size, button.frames = SIZE, trial_frames(context.scene)


def has_backend(context: bpy.types.Context) -> bool:
    """Whether one is set up, named or chosen; it may still not work."""
    choice = backend_choice(context)
    if chosen_url(choice):
        return True
    try:
        chosen_command(choice)
    except WarpnoiseError:
        return False
    return True


def trial_frames(scene: bpy.types.Scene) -> str:
    """The first frames from the current one on, or the last of the scene where fewer follow it."""
    start = max(scene.frame_start, min(scene.frame_current, scene.frame_end - FRAMES + 1))
    return f"{start}:{min(start + FRAMES - 1, scene.frame_end)}"


def show_trial(context: bpy.types.Context, scene: bpy.types.Scene, request: StylizeRequest) -> None:
    """Show a trial's frames in an image editor, in a new window if none is open; playback shows only them.

    Raises JobFolderError: the job folder cannot be read.
    """
    sequence, _ = read_sequence(request.folder)
    if sequence is None or bpy.app.background:
        return
    play_trial(scene, sequence.first, sequence.shown_last)
    if show_sequence(context, sequence):
        return
    with context.temp_override(window=context.window_manager.windows[0]):
        bpy.ops.wm.window_new()
    context.window_manager.windows[-1].screen.areas[0].type = "IMAGE_EDITOR"
    show_sequence(context, sequence)


def draw_next_steps(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """After a trial, what to do with it."""
    if is_trial(context.scene) and state.running() is None:
        layout.operator("warpnoise.leave_trial", icon="PREVIEW_RANGE")
    session = state.session
    if not isinstance(session, StylizeSession) or session.request.size is None or state.last.stage != "done":
        return
    column, width = layout.column(align=True), letters_in(context)
    count, size = len(session.request.frames), session.request.size
    draw_text(column, iface(PLAY, count=count, size=size), icon="INFO", width=width)
    draw_text(column, "1. Choose another style, strength or model below, and try again", icon="BLANK1", width=width)
    draw_text(column, "2. Preview one frame at full size", icon="BLANK1", width=width)
    draw_text(column, "3. Save the file, and stylize the whole animation", icon="BLANK1", width=width)


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
