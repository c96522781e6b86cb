"""The view layer that the motion is rendered with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import bpy

from ..errors import ExportError
from .changes import Changes

LAYER_NAME = "Warpnoise motion"

_Value = TypeVar("_Value")


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
    motion.material_override = _common([layer.material_override for layer in layers])
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
        _merge(child, [_same(child, source) for source in sources])


def _same(target: bpy.types.LayerCollection, parent: bpy.types.LayerCollection) -> bpy.types.LayerCollection:
    return next(child for child in parent.children if child.collection == target.collection)


def _common(values: Sequence[_Value]) -> _Value | None:
    return values[0] if all(value == values[0] for value in values) else None
