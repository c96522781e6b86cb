"""Builders of small scenes."""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np


def empty_scene(width: int, height: int) -> bpy.types.Scene:
    """A new file with an empty scene that renders in no time."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.render.resolution_x, scene.render.resolution_y = width, height
    scene.render.resolution_percentage = 100
    scene.cycles.samples = 1
    scene.cycles.use_denoising = False
    scene.cycles.max_bounces = 0
    return scene


def add_camera(scene: bpy.types.Scene, name: str = "Camera") -> bpy.types.Object:
    camera = bpy.data.objects.new(name, bpy.data.cameras.new(name))
    camera.location = (0.0, -10.0, 0.0)
    camera.rotation_euler = (math.radians(90), 0.0, 0.0)
    scene.collection.objects.link(camera)
    if scene.camera is None:
        scene.camera = camera
    return camera


def add_mesh(scene: bpy.types.Scene, kind: str, name: str, **arguments: Any) -> bpy.types.Object:
    """A primitive (``plane``, ``cube``, ``uv_sphere``, ...) in the scene's own collection."""
    getattr(bpy.ops.mesh, f"primitive_{kind}_add")(**arguments)
    added = bpy.context.object
    added.name = name
    return added


def new_material(name: str) -> bpy.types.Material:
    """A material with nodes: a Principled BSDF and an output."""
    material = bpy.data.materials.new(name)
    if material.node_tree is None:  # up to 4.5
        material.use_nodes = True
    return material


def key(owner: Any, path: str, values: dict[int, Any]) -> None:
    """Keyframes: ``values`` by frame. ``owner`` is a data-block, or something in one."""
    for frame, value in values.items():
        setattr(owner, path, value)
        owner.keyframe_insert(path, frame=frame)


def degrees(*angles: float) -> tuple[float, ...]:
    return tuple(np.radians(angles))
