"""Disables and enables the installed extension twenty times; nothing that it added may be left after a disable.

blender --background --python nothing_left.py
"""

import sys

import addon_utils
import bpy

MODULE = "bl_ext.user_default.warpnoise"


def traces() -> dict[str, list[str]]:
    """All that an add-on can leave behind, by kind."""
    return {
        "classes": [name for name in dir(bpy.types) if "warpnoise" in name.lower()],
        "operators": [name for name in dir(bpy.ops.warpnoise) if not name.startswith("_")],
        "scene properties": [p.identifier for p in bpy.types.Scene.bl_rna.properties if "warpnoise" in p.identifier],
        "handlers": [
            f"{kind}: {handler.__module__}"
            for kind in dir(bpy.app.handlers)
            if isinstance(handlers := getattr(bpy.app.handlers, kind), list)
            for handler in handlers
            if "warpnoise" in (getattr(handler, "__module__", "") or "")
        ],
    }


for _ in range(20):
    addon_utils.disable(MODULE)
    left = {kind: found for kind, found in traces().items() if found}
    if left:
        sys.exit(f"left after disabling: {left}")
    if addon_utils.enable(MODULE) is None or not traces()["operators"]:
        sys.exit("the extension did not come back")
print("disabled and enabled twenty times: nothing is left")
