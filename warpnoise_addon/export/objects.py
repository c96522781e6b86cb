"""The matrices of the objects that a frame draws as themselves."""

from __future__ import annotations

import bpy
import numpy as np
import numpy.typing as npt

_DRAWN = {"MESH", "CURVE", "SURFACE", "META", "FONT", "CURVES", "POINTCLOUD"}
_NO_NUMBER = 2**31 - 1


def object_matrices(depsgraph: bpy.types.Depsgraph) -> dict[str, npt.NDArray[np.float64]]:
    """Object-to-world matrices, (4, 4), of all objects that ``depsgraph`` draws once, by name.

    The names are those of the Cryptomatte manifest. An object that is (also) drawn as an instance, and two objects of
    one name (from two libraries), share one Cryptomatte name among several matrices: they are left out. So are matrices
    that are not finite.
    """
    matrices: dict[str, npt.NDArray[np.float64]] = {}
    shared: set[str] = set()
    for instance in depsgraph.object_instances:
        shown = instance.object
        if shown.type not in _DRAWN or not instance.show_self:
            continue
        name = shown.name
        if instance.is_instance and not _is_own_geometry(instance):
            shared.add(name)
            continue
        matrix = np.array(instance.matrix_world, np.float64)
        if not np.array_equal(matrices.setdefault(name, matrix), matrix):
            shared.add(name)
    return {name: m for name, m in matrices.items() if name not in shared and np.isfinite(m).all()}


def _is_own_geometry(instance: bpy.types.DepsgraphObjectInstance) -> bool:
    # What a curve, a text or a modifier makes is told as one instance of the object in itself. What is really
    # instanced inside of an object has a number there too.
    return instance.parent.name == instance.object.name and instance.persistent_id[1] == _NO_NUMBER
