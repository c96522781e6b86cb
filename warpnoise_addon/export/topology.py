"""Detects geometry whose points change between two frames. Cycles matches points by their order.

If a mesh has a different number of points in the other frame, Cycles writes vectors without the motion of the surface
("Topology differs, disabling motion blur for object ..."). If the number is the same by chance, it matches unrelated
points. The file shows neither.
"""

from __future__ import annotations

import hashlib
from typing import Any

import bpy
import numpy as np

VELOCITY = "velocity"
"""The attribute, in units a second, from which Cycles takes the motion of points instead, as of fluids and caches."""
BY_VELOCITY = "by velocity"
"""In place of a digest where the topology does not matter."""


class Topologies:
    """Collects digests of the topology of all geometry that a frame draws, by the names that Cryptomatte has."""

    def __init__(self) -> None:
        self._of_names: dict[str, set[str]] = {}
        self._of_data: dict[int, str] = {}

    def add(self, shown: bpy.types.Object, is_instance: bool) -> None:
        """``shown``: an evaluated object. ``is_instance``: it may be what modifiers made of another one."""
        data = shown.data
        pointer = data.as_pointer()
        digest = self._of_data.get(pointer)
        if digest is None:
            # A mesh's own topology changes only if another mesh takes its place.
            can_change = is_instance or len(shown.modifiers) > 0
            digest = self._of_data[pointer] = _digest(data, can_change)
        self._of_names.setdefault(shown.name, set()).add(digest)

    def result(self) -> dict[str, str]:
        """A digest for each name; of all of its geometries where it has several."""
        return {name: " ".join(sorted(digests)) for name, digests in self._of_names.items()}


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
    return ""  # what it is made into is told beside it, as an instance


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
    if len(corners):
        attribute.data.foreach_get("value", corners)
    return hashlib.blake2b(corners.data, digest_size=8).hexdigest()
