"""What a frame's evaluated scene says of it, beside the passes: its camera, and the objects that it draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from .cameras import camera_block, rows
from .topology import Topologies

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
    topologies = Topologies()
    indices: dict[str, set[int]] = {}
    for instance in depsgraph.object_instances:
        shown = instance.object
        if shown.type not in _DRAWN or not instance.show_self:
            continue
        name = shown.name
        topologies.add(shown, instance.is_instance)
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
    return FrameState(camera_block(depsgraph, frame), own, topologies.result(), instances)


def _index(instance: bpy.types.DepsgraphObjectInstance) -> int:
    """The number among those that one object makes: the second of Geometry Nodes' instances, the first of others."""
    first, second = instance.persistent_id[0], instance.persistent_id[1]
    return first if second == _NO_NUMBER else second


def _is_own_geometry(instance: bpy.types.DepsgraphObjectInstance) -> bool:
    # What a curve, a text or a modifier makes is told as one instance of the object in itself. What is really
    # instanced inside of an object has a number there too.
    return instance.parent.name == instance.object.name and instance.persistent_id[1] == _NO_NUMBER
