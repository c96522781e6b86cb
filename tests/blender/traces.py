"""All that an add-on can leave behind, but timers: what it starts runs in operators, which end with their classes."""

from types import SimpleNamespace

import bpy

NO_KEYS = SimpleNamespace(keymaps=())


def traces() -> dict[str, list[str]]:
    """What there is of Warpnoise in Blender, by kind."""
    return {
        "types": [name for name in dir(bpy.types) if "warpnoise" in name.lower()],
        "operators": [name for name in dir(bpy.ops.warpnoise) if not name.startswith("_")],
        "properties": [
            f"{kind}.{found.identifier}"
            for kind in ("Scene", "WindowManager", "Screen", "Object", "World")
            for found in getattr(bpy.types, kind).bl_rna.properties
            if "warpnoise" in found.identifier
        ],
        "handlers": [
            f"{kind}: {handler}"
            for kind in dir(bpy.app.handlers)
            if isinstance(handlers := getattr(bpy.app.handlers, kind), list)
            for handler in handlers
            if "warpnoise" in (getattr(handler, "__module__", "") or "")
        ],
        "drawn in other menus": [
            f"{name}: {draw}"
            for name in dir(bpy.types)
            for draw in getattr(getattr(getattr(bpy.types, name), "draw", None), "_draw_funcs", ())
            if "warpnoise" in (getattr(draw, "__module__", "") or "")
        ],
        "keys": [
            f"{keymap.name}: {item.idname}"
            for keymap in (bpy.context.window_manager.keyconfigs.addon or NO_KEYS).keymaps
            for item in keymap.keymap_items
            if "warpnoise" in item.idname
        ],
    }
