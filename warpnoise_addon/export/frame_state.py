"""What a frame's evaluated scene says of it, beside the passes: its camera, the objects that it draws, their topology.

Cycles matches a mesh's points in two frames by their order. If the other frame has another number of points, it writes
vectors without the surface's motion ("Topology differs, disabling motion blur for object ..."). If the number is the
same by chance, it matches unrelated points. The file shows neither, so the topology of both frames is compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from ..errors import ExportError, Message

_DRAWN = {"MESH", "CURVE", "SURFACE", "META", "FONT", "CURVES", "POINTCLOUD"}
_NO_NUMBER = 2**31 - 1


@dataclass(frozen=True)
class FrameState:
    """``camera``, ``objects``: as in ``job.json``. ``topologies``: digests, by Cryptomatte's names as the objects are.

    ``instances``: how many instances an object makes, where only their order tells them apart, by that object's name.
    """

    camera: dict[str, Any]
    objects: dict[str, list[list[float]]]
    topologies: dict[str, str]
    instances: dict[str, int]


def frame_state(depsgraph: bpy.types.Depsgraph, frame: int) -> FrameState:
    """Reads ``depsgraph``, evaluated at ``frame``: the matrices of objects that it draws once, every one's topology.

    The names are those of the Cryptomatte manifest. An object that is (also) drawn as an instance, and two objects of
    one name (from two libraries), share one Cryptomatte name among several matrices: they are left out. So are matrices
    that are not finite. Raises ExportError as `camera_block`.
    """
    matrices: dict[str, npt.NDArray[np.float64]] = {}
    shared: set[str] = set()
    topologies: dict[str, set[str]] = {}
    digests: dict[int, str] = {}  # by the data of objects
    indices: dict[str, set[int]] = {}
    for instance in depsgraph.object_instances:
        shown = instance.object
        if shown.type not in _DRAWN or not instance.show_self:
            continue
        name = shown.name
        data = shown.data
        pointer = data.as_pointer()
        if pointer not in digests:
            # A mesh's own topology changes only if another mesh takes its place; that of modifiers' results may.
            digests[pointer] = _digest(data, can_change=instance.is_instance or len(shown.modifiers) > 0)
        topologies.setdefault(name, set()).add(digests[pointer])
        if instance.is_instance and not _is_own_geometry(instance):
            shared.add(name)
            if instance.particle_system is None:  # a particle keeps its number
                indices.setdefault(instance.parent.name, set()).add(_index(instance))
            continue
        matrix = np.array(instance.matrix_world, np.float64)
        if not np.array_equal(matrices.setdefault(name, matrix), matrix):
            shared.add(name)
    own = {name: rows(m) for name, m in matrices.items() if name not in shared and np.isfinite(m).all()}
    # Where the attribute 'id' is stored, it is the number, and numbers are missing as soon as instances go.
    instances = {name: len(numbers) for name, numbers in indices.items() if max(numbers) == len(numbers) - 1}
    topology = {name: " ".join(sorted(several)) for name, several in topologies.items()}
    return FrameState(camera_block(depsgraph, frame), own, topology, instances)


def _index(instance: bpy.types.DepsgraphObjectInstance) -> int:
    """The number among those that one object makes: the second of Geometry Nodes' instances, the first of others."""
    first, second = instance.persistent_id[0], instance.persistent_id[1]
    return first if second == _NO_NUMBER else second


def _is_own_geometry(instance: bpy.types.DepsgraphObjectInstance) -> bool:
    # The geometry of a curve, a text or a modifier is listed as one instance of the object in itself. What is really
    # instanced inside of an object has a number there too.
    return instance.parent.name == instance.object.name and instance.persistent_id[1] == _NO_NUMBER


VELOCITY = "velocity"
"""The attribute, in units a second, from which Cycles takes the motion of points instead, as of fluids and caches."""
BY_VELOCITY = "by velocity"
"""In place of a digest where the topology does not matter."""


def _digest(data: Any, can_change: bool) -> str:
    if _has_velocity(data):
        return BY_VELOCITY
    if isinstance(data, bpy.types.Mesh):
        counts = f"{len(data.vertices)} {len(data.loops)} {len(data.polygons)}"
        return f"{counts} {_corners(data) if can_change else data.name}"
    if isinstance(data, bpy.types.Curves):
        return f"{len(data.points)} {len(data.curves)}"
    if isinstance(data, bpy.types.PointCloud):
        return f"{len(data.points)}"
    return ""  # its geometry is listed separately, as an instance


def _has_velocity(data: Any) -> bool:
    attribute = data.attributes.get(VELOCITY) if hasattr(data, "attributes") else None
    if attribute is None or (attribute.domain, attribute.data_type) != ("POINT", "FLOAT_VECTOR"):
        return False
    # All are 0 on liquids that are replayed, not baked, and on caches that hold none.
    values = np.empty(3 * len(attribute.data), np.float32)
    attribute.data.foreach_get("vector", values)
    return bool(values.any())


def _corners(mesh: bpy.types.Mesh) -> str:
    # Reading the attribute is hundreds of times as fast as `mesh.loops`. A mesh without faces may have none.
    attribute = mesh.attributes.get(".corner_vert")
    corners = np.empty(len(mesh.loops) if attribute is not None else 0, np.int32)
    if attribute is not None and len(corners):
        attribute.data.foreach_get("value", corners)
    return hashlib.blake2b(corners.data, digest_size=8).hexdigest()


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
