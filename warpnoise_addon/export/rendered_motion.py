"""Renders the motion separately, in a separate view layer, with one sample at the centre of every pixel."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

from .. import compat
from ..errors import ExportError
from .changes import Changes
from .frame_state import BY_VELOCITY, FrameState, frame_state
from .rendering import prepare, render_still
from .simulations import has_remembered_frames

_handlers: Any = bpy.app.handlers  # whose stubs know no handler with a dependency graph

# Vectors are averaged over a pixel's samples, and an average of two surfaces' vectors points nowhere. So: one
# sample, through a filter so narrow that it is the point at the pixel's centre, and nothing that adds or moves samples.
_ONE_SAMPLE = {
    "device": "CPU",  # the same bits everywhere; at one sample the time goes into the scene, not into rays
    "samples": 1,
    "use_adaptive_sampling": False,
    "use_layer_samples": "IGNORE",
    "use_sample_subset": False,  # from 4.3
    "sample_offset": 0,
    "time_limit": 0.0,
    "seed": 0,
    "use_animated_seed": False,
    "use_denoising": False,  # not every build has a denoiser
    "pixel_filter_type": "BLACKMAN_HARRIS",
    "filter_width": 0.01,
    "use_pixel_jitter": False,  # from 5.2; with it the sample was 0.7 pixels off the centre, for all the narrow filter
}
# No light is looked for. Transparent surfaces are still looked through: `transparent_max_bounces` is the user's.
_NO_LIGHT = {
    "max_bounces": 0,
    "use_fast_gi": False,
    "use_light_tree": False,
    "use_guiding": False,
    "caustics_reflective": False,
    "caustics_refractive": False,
}


def check_cycles(scene: bpy.types.Scene) -> None:
    """Raises ExportError when this Blender cannot render with Cycles."""
    with Changes() as changes, contextlib.suppress(TypeError):
        changes.set(scene.render, engine="CYCLES")
        if compat.has_property(scene, "cycles"):
            return
    raise ExportError(
        "The motion render needs Cycles, which is missing. Enable the add-on 'Cycles Render Engine' in "
        "Blender's preferences, or use a Blender that was built with it."
    )


class RenderedMotion:
    """Renders the passes with Cycles. ``step``: how many frames a vector spans."""

    def __init__(self, scene: bpy.types.Scene, step: int) -> None:
        check_cycles(scene)
        self._scene = scene
        self._step = step

    def write_passes(self, frame: int, path: Path, layer: bpy.types.ViewLayer) -> FrameState:
        """Renders Depth, Vector and Cryptomatte of ``layer``, the motion's view layer, into the multilayer EXR
        ``path``, and puts the scene back.

        Raises:
            ExportError: the render failed.
            Cancelled: the user stopped it.
        """
        scene = self._scene
        may_forget = self._step > 1 and has_remembered_frames(scene)
        evaluation = _Evaluation(scene, frame, self._step, may_forget)
        with Changes() as changes, _black_world() as world, evaluation:
            prepare(scene, changes)
            for other in scene.view_layers:
                changes.set(other, use=other == layer)
            changes.set(layer, world_override=world)
            if scene.render.engine != "CYCLES":  # other engines show what Cycles would cull
                changes.set(scene.cycles, use_camera_cull=False, use_distance_cull=False)
            changes.set(
                scene.render,
                engine="CYCLES",
                use_motion_blur=False,  # would switch the vectors off
                use_compositing=False,
                use_freestyle=False,
                use_persistent_data=False,
            )
            changes.set(scene.cycles, **_ONE_SAMPLE, **_NO_LIGHT)
            settings = scene.render.image_settings
            changes.set_output(settings, compat.multilayer_exr(settings))
            _no_depth_of_field(changes)
            _moving_cameras(changes)
            if compat.loses_adaptive_motion():
                _no_adaptive_subdivision(changes)
            _no_volumes(changes)
            render_still(scene, frame, path, changes)
        return evaluation.result()


@contextlib.contextmanager
def _black_world() -> Iterator[bpy.types.World]:
    """A world without light and volume, for as long as it is needed; the scene's own stays where it is."""
    world = bpy.data.worlds.new("Warpnoise motion")
    try:
        world.color = (0.0, 0.0, 0.0)
        yield world
    finally:
        bpy.data.worlds.remove(world)


def _no_depth_of_field(changes: Changes) -> None:
    for camera in bpy.data.cameras:
        if camera.dof.use_dof or camera.animation_data is not None:
            changes.set(camera.dof, use_dof=False)


def _moving_cameras(changes: Changes) -> None:
    # Object > Motion Blur of the camera: where it is off, Cycles takes the camera for still. Of other objects it has no
    # influence on the vectors.
    for shown in bpy.data.objects:
        if shown.type == "CAMERA" and (not shown.cycles.use_motion_blur or shown.animation_data is not None):
            changes.set(shown.cycles, use_motion_blur=True)


def _no_adaptive_subdivision(changes: Changes) -> None:
    # Of what deforms: the others are better with it, where it displaces.
    for shown in bpy.data.objects:
        deforms = shown.type == "MESH" and (shown.data.shape_keys is not None or len(shown.modifiers) > 1)
        if deforms and shown.cycles.use_adaptive_subdivision:
            changes.set(shown.cycles, use_adaptive_subdivision=False)


def _no_volumes(changes: Changes) -> None:
    # A ray that scatters in a volume does not reach the surface behind it. Volume objects are switched off by the view
    # layer; a mesh that is nothing but a volume is hidden from the camera.
    volumes = {material for material in bpy.data.materials if _is_volume(material)}
    for shown in bpy.data.objects if volumes else ():
        materials = [slot.material for slot in shown.material_slots if slot.material is not None]
        if materials and volumes.issuperset(materials):
            changes.set(shown, visible_camera=False)


def _is_volume(material: bpy.types.Material) -> bool:
    tree = material.node_tree
    output = tree.get_output_node("CYCLES") if tree is not None else None
    return output is not None and output.inputs["Volume"].is_linked and not output.inputs["Surface"].is_linked


@dataclass
class _Evaluation:
    """Watches the render's own evaluations of the scene: reads from them, and makes their vectors span ``step`` frames.

    Cycles asks Blender for the frames before and after. Blender calls the handlers before it evaluates a frame, and
    reads the frame's number after that: moving it there moves all that depends on the frame (curves, drivers, markers,
    other add-ons' handlers). Remapping the scene's time would leave out what is driven by the frame's number.
    """

    scene: bpy.types.Scene
    frame: int
    step: int
    may_forget: bool
    _found: FrameState | None = None
    _slowed: tuple[bpy.types.Scene, float] | None = None
    _errors: list[Exception] = field(default_factory=list)

    def __enter__(self) -> _Evaluation:
        _handlers.frame_change_pre.insert(0, self._before)
        _handlers.frame_change_post.append(self._after)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore_rate()
        _handlers.frame_change_pre.remove(self._before)
        _handlers.frame_change_post.remove(self._after)

    def result(self) -> FrameState:
        """What was read. Raises what reading raised."""
        if self._errors:
            raise self._errors[0]
        if self._found is None:
            raise RuntimeError(f"frame {self.frame} was rendered without having been evaluated")
        return self._found

    def _before(self, scene: bpy.types.Scene, _: object = None) -> None:
        self._restore_rate()
        if scene == self.scene and scene.frame_current in (self.frame - 1, self.frame + 1):
            scene.frame_current = self.frame + (scene.frame_current - self.frame) * self.step

    def _after(self, scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
        if scene != self.scene or depsgraph.mode != "RENDER" or scene.frame_current != self.frame or self._found:
            return
        try:  # Blender would print what a handler raises, and go on
            self._found = state = frame_state(depsgraph, self.frame)
            if self.step > 1 and any(BY_VELOCITY in topology for topology in state.topologies.values()):
                self._span_velocities(depsgraph.scene_eval, state.topologies)
        except Exception as error:
            # Its frames would keep the render engine alive, which Blender is about to free.
            self._errors.append(error.with_traceback(None))

    def _span_velocities(self, evaluated: bpy.types.Scene, topologies: dict[str, str]) -> None:
        # Cycles turns velocities, which are per second, into the motion of one frame by the frame rate of the evaluated
        # scene. It reads it after this; nothing else may see it.
        if not self.may_forget:
            self._slowed = evaluated, evaluated.render.fps_base
            evaluated.render.fps_base *= self.step
            return
        # Setting it makes Blender forget the frames of simulations. So these motions are not known.
        for name, topology in topologies.items():
            if BY_VELOCITY in topology:
                topologies[name] = f"{topology} at frame {self.frame}"

    def _restore_rate(self) -> None:
        if self._slowed is not None:
            evaluated, before = self._slowed
            self._slowed = None
            with contextlib.suppress(ReferenceError):  # a render that ended early has freed it
                evaluated.render.fps_base = before


LAYER_NAME = "Warpnoise motion"


def enabled_layers(scene: bpy.types.Scene) -> list[bpy.types.ViewLayer]:
    """The view layers that are rendered. Raises ExportError when there is none."""
    layers = [layer for layer in scene.view_layers if layer.use]
    if not layers:
        raise ExportError(
            "No view layer of scene '{name}' is rendered. Switch on 'Use for Rendering' of one of them.",
            name=scene.name,
        )
    return layers


def add_motion_layer(scene: bpy.types.Scene, changes: Changes) -> bpy.types.ViewLayer:
    """Adds a view layer with the passes that a job needs, switched off; ``changes`` removes it in the end.

    The user's own layers are left alone: a pass that is switched on in them adds sockets to their compositor nodes.

    Where one view layer is rendered, the new one shows exactly the same: excluded, holdout and indirect-only
    collections, material override. Where several are, a pixel of the picture can come from any of them, and only the
    user's compositor knows from which. The new layer shows what any of them shows: a collection is excluded only if all
    layers exclude it; it is indirect-only or a holdout only if it is so in all layers that have it. So each
    visible thing has its motion; where things of two layers lie behind each other the nearer one wins, as it does when
    the layers' pictures are composited in depth.
    """
    layers = enabled_layers(scene)
    motion = scene.view_layers.new(LAYER_NAME)
    changes.callback(scene.view_layers.remove, motion)
    motion.use = False
    motion.use_pass_combined = False
    motion.use_pass_z = True
    motion.use_pass_vector = True
    motion.use_pass_cryptomatte_object = True
    motion.pass_cryptomatte_depth = 2
    motion.pass_alpha_threshold = min(layer.pass_alpha_threshold for layer in layers)
    overrides = {layer.material_override for layer in layers}
    motion.material_override = overrides.pop() if len(overrides) == 1 else None
    motion.use_solid = any(layer.use_solid for layer in layers)
    motion.use_strand = any(layer.use_strand for layer in layers)
    motion.use_volumes = False
    motion.use_motion_blur = False
    motion.use_freestyle = False
    _merge(motion.layer_collection, [layer.layer_collection for layer in layers])
    return motion


def _merge(target: bpy.types.LayerCollection, sources: Sequence[bpy.types.LayerCollection]) -> None:
    # From the root down: excluding a collection excludes its children, whose own state is set after it.
    target.exclude = all(source.exclude for source in sources)
    shown = [source for source in sources if not source.exclude] or sources
    target.holdout = all(source.holdout for source in shown)
    target.indirect_only = all(source.indirect_only for source in shown)
    for child in target.children:
        same = [other for source in sources for other in source.children if other.collection == child.collection]
        _merge(child, same)
