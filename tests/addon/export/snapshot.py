"""Everything that Blender says of the open file, as one flat dictionary: what an export may not change."""

from __future__ import annotations

import warnings
from typing import Any

import bpy

# Evaluated data, caches, the window, and what the render itself makes.
_SKIPPED = {
    "depsgraph",
    "rna_type",
    "bl_rna",
    "original",
    "id_data",
    "session_uid",
    "preview",
    "bindcode",
    "is_evaluated",
    "storage_type",
    "tool_settings",
}
_SKIPPED_DATA = {"all_ids", "window_managers", "screens", "workspaces", "libraries", "brushes", "palettes"}
# Others point to these; where they belong they are in a collection.
_NAMED = (bpy.types.Node, bpy.types.NodeSocket, bpy.types.ViewLayer, bpy.types.Bone, bpy.types.PoseBone)
_RENDERED = {"RENDER_RESULT", "COMPOSITING"}


def snapshot() -> dict[str, Any]:
    """All RNA properties of all data-blocks, custom properties included, by their paths."""
    found: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # this reads properties that nobody else reads any more
        for prop in bpy.data.bl_rna.properties:
            if prop.type != "COLLECTION" or prop.identifier in _SKIPPED_DATA:
                continue
            for datablock in getattr(bpy.data, prop.identifier):
                if prop.identifier == "images" and datablock.type in _RENDERED:
                    continue
                _walk(datablock, f"{prop.identifier}[{datablock.name}]", found, set())
    found["handlers"] = {
        kind: list(handlers)
        for kind in dir(bpy.app.handlers)
        if isinstance(handlers := getattr(bpy.app.handlers, kind), list)
    }
    return found


def differences(before: dict[str, Any], after: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What is not the same, by path: (before, after)."""
    return {
        path: (before.get(path, "missing"), after.get(path, "missing"))
        for path in before.keys() | after.keys()
        if before.get(path, "missing") != after.get(path, "missing")
    }


def _walk(owner: Any, path: str, found: dict[str, Any], above: set[int]) -> None:
    if not hasattr(owner, "bl_rna"):  # custom properties' storage
        return
    pointer = owner.as_pointer()
    if pointer in above and not isinstance(owner, bpy.types.ID):
        return
    above = above | {pointer}
    if hasattr(owner, "keys"):
        try:
            for name in owner.keys() - owner.bl_rna.properties.keys():
                value = owner[name]
                found[f'{path}["{name}"]'] = repr(value.to_dict() if hasattr(value, "to_dict") else value)
        except TypeError:
            pass  # no custom properties here
    for prop in owner.bl_rna.properties:
        name = prop.identifier
        if name in _SKIPPED:
            continue
        try:
            value = getattr(owner, name)
        except (AttributeError, RuntimeError):
            continue
        here = f"{path}.{name}"
        if prop.is_runtime:  # an add-on's, whose default is another thing than the same value set
            found[f"{here} is set"] = owner.is_property_set(name)
        if prop.type == "POINTER":
            _walk_pointer(value, here, found, above)
        elif prop.type == "COLLECTION":
            found[f"{here} length"] = len(value)
            for index, item in enumerate(value):
                _walk_pointer(item, f"{here}[{index}]", found, above)
        elif getattr(prop, "is_array", False):
            found[here] = tuple(tuple(v) if hasattr(v, "__len__") else v for v in value)
        else:
            found[here] = value


def _walk_pointer(value: Any, path: str, found: dict[str, Any], above: set[int]) -> None:
    belongs_elsewhere = isinstance(value, bpy.types.ID) and not value.is_embedded_data
    if value is None:
        found[path] = None
    elif belongs_elsewhere or (isinstance(value, _NAMED) and not path.endswith("]")):
        found[path] = (type(value).__name__, value.name)
    else:
        _walk(value, path, found, above)
