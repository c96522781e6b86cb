"""Temporary changes to the user's file, which are undone whatever happens."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import bpy

from .. import compat


class Changes(contextlib.ExitStack):
    """Changes properties, and restores them in reverse order when the ``with`` block ends.

    A property that cannot be restored does not keep the others from it. The curves of an animated or driven property
    are muted in the block, so that the value that is set here holds.
    """

    def __init__(self) -> None:
        super().__init__()
        self._curves: dict[bpy.types.ID, dict[str, list[bpy.types.FCurve]]] = {}

    def set(self, owner: bpy.types.bpy_struct[Any], **values: Any) -> None:
        """Sets properties of ``owner``; those that this Blender does not have are left out."""
        for name, value in values.items():
            if compat.has_property(owner, name):
                self._hold_still(owner, name)
                self.keep(owner, name)
                setattr(owner, name, value)

    def keep(self, owner: bpy.types.bpy_struct[Any], name: str) -> None:
        """Puts the property back in the end; something else may change it."""
        before = getattr(owner, name)
        if hasattr(before, "__len__") and not isinstance(before, str | set):
            before = tuple(before)
        # A property of an add-on (Cycles is one) that was never set shall not be set afterwards.
        if owner.is_property_set(name):
            self.callback(_put_back, owner, name, before)
        else:
            self.callback(owner.property_unset, name)

    def set_output(self, settings: bpy.types.ImageFormatSettings, values: dict[str, Any]) -> None:
        """Sets a file format. ``values`` come from ``compat``: the properties decide on one another's values."""
        linear = settings.linear_colorspace_settings
        if linear_name := compat.colorspace_name(linear):  # empty: never chosen, which cannot be set
            self.callback(_put_back, linear, "name", linear_name)  # a change of the file format changes it
        for restore in reversed(list(_overridden_color_management(settings))):
            self.callback(restore)
        for name, value in reversed(compat.image_settings_values(settings).items()):
            self.callback(_put_back, settings, name, value)
        for name, value in values.items():
            self._hold_still(settings, name)
            setattr(settings, name, value)

    def _hold_still(self, owner: bpy.types.bpy_struct[Any], name: str) -> None:
        datablock = owner.id_data
        curves = self._curves.get(datablock)
        if curves is None:
            curves = self._curves[datablock] = {}
            for curve in compat.animation_curves(datablock):
                curves.setdefault(curve.data_path, []).append(curve)
        if not curves:
            return
        for curve in curves.get(owner.path_from_id(name), ()):
            if not curve.mute:
                curve.mute = True
                self.callback(setattr, curve, "mute", False)


class AnimatedValues:
    """The values of all animated and driven properties of the file.

    Rendering another frame writes that frame's values into them. Going back to the user's frame gives the values of the
    curves there, which are not those that the user has changed and not keyed yet; ``restore`` brings these back too.
    """

    def __init__(self) -> None:
        self._values = [
            (datablock, curve.data_path, curve.array_index, value)
            for datablock in animatable_datablocks()
            for curve in compat.animation_curves(datablock)
            if (value := _read(datablock, curve.data_path, curve.array_index)) is not None
        ]

    def restore(self) -> None:
        for datablock, path, index, value in self._values:
            if _read(datablock, path, index) != value:
                _write(datablock, path, index, value)


def _put_back(owner: bpy.types.bpy_struct[Any], name: str, value: Any) -> None:
    if getattr(owner, name) != value:
        setattr(owner, name, value)


def _overridden_color_management(settings: bpy.types.ImageFormatSettings) -> Iterator[Callable[[], None]]:
    # Blender copies the scene's colour management over the file's own as soon as that is switched on (again).
    if settings.color_management != "OVERRIDE":
        return
    for owner in (settings.display_settings, settings.view_settings):
        for prop in owner.bl_rna.properties:
            if not prop.is_readonly:
                value = getattr(owner, prop.identifier)
                yield partial(_put_back, owner, prop.identifier, value)
    mapping = settings.view_settings.curve_mapping
    if mapping is None:
        return
    curves = [[(tuple(point.location), point.handle_type) for point in curve.points] for curve in mapping.curves]

    def restore_curves() -> None:
        for curve, points in zip(settings.view_settings.curve_mapping.curves, curves, strict=True):
            while len(curve.points) > len(points):
                curve.points.remove(curve.points[1])
            while len(curve.points) < len(points):
                curve.points.new(0.5, 0.5)
            for point, (location, handle) in zip(curve.points, points, strict=True):
                point.location, point.handle_type = location, handle
        settings.view_settings.curve_mapping.update()

    yield restore_curves


def animatable_datablocks() -> Iterator[bpy.types.ID]:
    """Every data-block of the file that can be animated, the node trees inside of others included."""
    for prop in bpy.data.bl_rna.properties:
        if prop.type != "COLLECTION" or prop.identifier == "all_ids":  # from 5.2, all of the others together
            continue
        for datablock in getattr(bpy.data, prop.identifier):
            yield datablock
            tree = getattr(datablock, "node_tree", None)
            if tree is not None and tree.is_embedded_data:
                yield tree


_LAST_PART = re.compile(r"""^(?:(?P<owner>.*)\.)?(?P<name>\w+)$|^(?P<item_owner>.*)\["(?P<key>(?:[^"\\]|\\.)*)"\]$""")


def _read(datablock: bpy.types.ID, path: str, index: int) -> Any:
    try:
        value = datablock.path_resolve(path)
    except ValueError:  # a curve of something that is gone
        return None
    if isinstance(value, bool | int | float | str):
        return value
    try:
        return value[index]
    except (TypeError, IndexError):
        return None


def _write(datablock: bpy.types.ID, path: str, index: int, value: Any) -> None:
    parts = _LAST_PART.match(path)
    if parts is None:
        return
    if (key := parts["key"]) is not None:
        owner = datablock.path_resolve(parts["item_owner"]) if parts["item_owner"] else datablock
        key = key.replace('\\"', '"').replace("\\\\", "\\")
        if isinstance(owner[key], bool | int | float | str):
            owner[key] = value
        else:
            owner[key][index] = value
        return
    owner = datablock.path_resolve(parts["owner"]) if parts["owner"] else datablock
    if isinstance(getattr(owner, parts["name"]), bool | int | float | str):
        setattr(owner, parts["name"], value)
    else:
        getattr(owner, parts["name"])[index] = value
