"""Exports the frames of a scene to a job folder, one after another."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator

import bpy

from .changes import AnimatedValues, Changes
from .existing import ExistingFrames, check_step
from .export_options import ExportedFrame, ExportOptions
from .files import JobFolder, frame_mutex
from .frame_state import check_cameras
from .job_file import JobFile, scene_block
from .rendered_motion import RenderedMotion, add_motion_layer, enabled_layers
from .rendering import RenderedColor, left_out, make_small, render_size
from .simulations import Simulations
from .unfollowed import Instances, unfollowed


def export_job(context: bpy.types.Context, options: ExportOptions) -> Generator[ExportedFrame, None, None]:
    """Writes the frames of ``context.scene`` into a job folder; a generator that yields after each frame.

    The scene and the options are checked at once, before anything is rendered or written. Closing the generator stops
    the export. When it ends, by itself, by an error or by closing, the user's scene is as it was: the frame,
    render settings, passes, view layers, node trees, and the values of animated properties. Finished frames stay.
    ``job.json`` is written last: it tells only of frames that are finished.

    Raises:
        SettingsError: a bad frame range.
        ExportError: no camera or one that has no projection matrix; no view layer; no Cycles; existing frames that do
            not fit; a render that failed.
        BackendError: existing frames, and no package that reads them.
        JobFolderError: the folder cannot be written, another process works on it, or the disk is full.
        Cancelled: the user stopped a render.
    """
    options.check()
    scene, frames = context.scene, options.rendered_frames
    check_cameras(scene, frames)
    if options.passes_source is None:
        enabled_layers(scene)
        motion: RenderedMotion | ExistingFrames = RenderedMotion(scene, options.frame_step)
    else:
        check_step(options.frame_step)
    existing: ExistingFrames | None = None
    if options.color_source is not None or options.passes_source is not None:
        existing = ExistingFrames(
            scene,
            (options.color_source, options.color_frames or frames) if options.color_source else None,
            (options.passes_source, frames) if options.passes_source else None,
            options.reader,
        )
        motion = existing if options.passes_source else motion
    color = existing if existing and options.color_source else RenderedColor(scene)
    return _export(scene, options, color, motion, existing)


def _export(
    scene: bpy.types.Scene,
    options: ExportOptions,
    color: RenderedColor | ExistingFrames,
    motion: RenderedMotion | ExistingFrames,
    existing: ExistingFrames | None,
) -> Generator[ExportedFrame, None, None]:
    total, warnings = len(options.rendered_frames), [*left_out(scene), *unfollowed(scene)]
    with (
        contextlib.closing(existing) if existing else contextlib.nullcontext(),
        JobFolder(options.folder, options.span) as folder,
        _unchanged(scene) as changes,
    ):
        if options.size is not None:
            make_small(scene, options.size, changes)
        layer = add_motion_layer(scene, changes)
        job = JobFile(folder, scene_block(scene, options, color.transparent), options)
        job.start()
        instances = Instances()
        simulations = Simulations(scene, layer, options.rendered_frames[-1] + options.frame_step, changes)
        for done, (frame, own) in enumerate(_frames_in_turn(options, folder), start=1):
            picture, passes = folder.picture("color", frame), folder.picture("passes", frame)
            has_color, has_passes = not own or job.has("color", frame), job.has("passes", frame)
            existed = has_color and has_passes
            if not existed:
                warnings.extend(simulations.prepare())
            if not has_color:
                with folder.new(picture) as path:
                    color.write_color(frame, path)
                job.add_color(frame)
            if not has_passes:
                with folder.new(passes, options.smallest_passes(render_size(scene))) as path:
                    state = motion.write_passes(frame, path, layer)
                job.add_passes(frame, state)
                warnings.extend(instances.next(state.instances))
            told = tuple(warnings)
            warnings.clear()
            yield ExportedFrame(frame, done, total, picture if own else None, passes, existed, told)
        job.finish()


def _frames_in_turn(options: ExportOptions, folder: JobFolder) -> Iterator[tuple[int, bool]]:
    """Each frame, and whether it is one of this export's own; of other frames only the motion is needed.

    Those come from the last one backwards, towards the machine that comes from their beginning. A frame is locked while
    its motion is rendered, and one that another machine has locked comes last.
    """
    own = options.frames if options.color_frames is None else options.color_frames
    yield from ((frame, True) for frame in own)
    others = [frame for frame in reversed(options.rendered_frames) if frame not in own]
    waiting = list(others)
    for index, frame in enumerate(waiting):  # which grows
        with frame_mutex(folder.path, frame) as ours:
            if ours or index >= len(others):  # if another machine still is at it, both make the same bits
                yield frame, False
            else:
                waiting.append(frame)


@contextlib.contextmanager
def _unchanged(scene: bpy.types.Scene) -> Iterator[Changes]:
    """What holds from the first frame to the last, and is put back after it: the frame, and what follows from it."""
    images = {image.name for image in bpy.data.images}
    values = AnimatedValues()
    with Changes() as changes:
        # Blender takes 0 for a negative frame where the user's preferences do not allow one, but renders it.
        changes.keep(bpy.context.preferences, "is_dirty")
        changes.set(bpy.context.preferences.edit, use_negative_frames=True)
        changes.callback(_remove_new_results, images)
        changes.callback(values.restore)
        frame, subframe = scene.frame_current, scene.frame_subframe
        changes.callback(scene.frame_set, frame, subframe=subframe)
        changes.keep(scene, "camera")  # markers switch it
        yield changes


def _remove_new_results(before: set[str]) -> None:
    # Blender makes these two when it renders.
    for image in list(bpy.data.images):
        if image.type in ("RENDER_RESULT", "COMPOSITING") and image.name not in before:
            bpy.data.images.remove(image)
