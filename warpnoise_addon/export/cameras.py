"""The camera of a frame, as ``job.json`` describes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from ..errors import ExportError, Message

KINDS = ("PERSP", "ORTHO")


def check_camera(camera: bpy.types.Object | None, where: str) -> bpy.types.Object:
    """The camera. Raises ExportError if nothing can be exported through it. ``where`` begins the message's sentence."""
    if camera is None:
        raise ExportError("{where} has no camera. Add one, or choose one in the scene's properties.", where=where)
    if camera.type != "CAMERA":
        raise ExportError(
            "{where} looks through '{name}', an object of type {type}. Expected a camera: choose one "
            "in the scene's properties.",
            where=where,
            name=camera.name,
            type=camera.type,
        )
    if camera.data.type not in KINDS:
        raise ExportError(
            "{where} looks through '{name}', whose lens is of type {type}. Expected a perspective or an "
            "orthographic camera: other lenses have no projection matrix, which moves the noise.",
            where=where,
            name=camera.name,
            type=camera.data.type,
        )
    return camera


def check_cameras(scene: bpy.types.Scene, frames: Sequence[int]) -> None:
    """Checks the scene's camera and those that its timeline markers switch to. Raises ExportError."""
    markers = sorted((m for m in scene.timeline_markers if m.camera is not None), key=lambda marker: marker.frame)
    if not markers:
        check_camera(scene.camera, Message("Scene '{name}'", name=scene.name))
    for index, marker in enumerate(markers):
        until = markers[index + 1].frame if index + 1 < len(markers) else frames[-1] + 1
        since = marker.frame if index else frames[0]  # before the first marker its camera is used already
        if any(since <= frame < until for frame in frames):
            check_camera(
                marker.camera, Message("Scene '{name}' at frame {frame}", name=scene.name, frame=max(since, frames[0]))
            )


def camera_block(depsgraph: bpy.types.Depsgraph, frame: int) -> dict[str, Any]:
    """``camera`` of ``job.json``: what ``depsgraph``, evaluated at ``frame``, is rendered through.

    Raises:
        ExportError: as above, or a camera without size.
    """
    scene = depsgraph.scene_eval
    camera = check_camera(scene.camera, Message("Scene '{name}' at frame {frame}", name=scene.name, frame=frame))
    camera = camera.evaluated_get(depsgraph)
    render = scene.render
    percentage = render.resolution_percentage
    projection = camera.calc_matrix_camera(
        depsgraph,
        x=render.resolution_x * percentage // 100,
        y=render.resolution_y * percentage // 100,
        scale_x=render.pixel_aspect_x,
        scale_y=render.pixel_aspect_y,
    )
    world = np.array(camera.matrix_world, np.float64)
    # As Cycles does: each axis loses its length, a shear stays.
    with np.errstate(divide="ignore", invalid="ignore"):
        world[:3, :3] /= np.linalg.norm(world[:3, :3], axis=0)
    if not np.isfinite(world).all():
        raise ExportError(
            "Camera '{name}' has no size at frame {frame}: its scale is 0. Give it a scale of 1.",
            name=camera.name,
            frame=frame,
        )
    return {
        "name": camera.name,
        "type": camera.data.type,
        "world": rows(world),
        "projection": rows(np.array(projection, np.float64)),
    }


def rows(matrix: npt.NDArray[np.float64]) -> list[list[float]]:
    """A matrix as ``job.json`` has it. Blender's are of single precision: nine digits say all of it."""
    return [[float(f"{value:.9g}") for value in row] for row in matrix]
