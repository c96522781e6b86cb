"""Registers everything that the add-on adds to Blender, from one ordered list; unregisters in reverse order."""

from __future__ import annotations

from collections.abc import Iterator

import bpy
from bpy.app.handlers import persistent

from . import command, translations
from .stylize import state
from .ui import (
    backend_operators,
    draw_settings,
    first_run,
    icons,
    image_editor,
    key_pictures,
    model_list,
    model_operators,
    panel,
    preferences,
    properties,
    result_operators,
    stylize_operators,
)

MODULES = (
    preferences, properties, model_list, model_operators, key_pictures, draw_settings, stylize_operators,
    backend_operators, result_operators, image_editor, first_run, panel,
    translations, state, icons, command,
)  # fmt: skip
"""Those with Blender's classes, with register() and unregister(), or with both."""
KINDS = (
    bpy.types.AddonPreferences, bpy.types.Menu, bpy.types.Operator, bpy.types.Panel, bpy.types.PropertyGroup,
    bpy.types.UIList,
)  # fmt: skip


def classes() -> Iterator[type]:
    """Blender's classes of all modules: of each the generated ones first, then the others as they are defined."""
    for module in MODULES:
        yield from getattr(module, "GENERATED", ())
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, KINDS) and value.__module__ == module.__name__:
                yield value


@persistent  # type: ignore[untyped-decorator]
def _another_file(*_: object) -> None:
    """A run belongs to the file that is open: it ends with it."""
    state.stop_all()
    icons.clear_newest()


def register() -> None:
    for cls in classes():
        bpy.utils.register_class(cls)
    for module in MODULES:
        if hasattr(module, "register"):
            module.register()
    bpy.app.handlers.load_pre.append(_another_file)


def unregister() -> None:
    bpy.app.handlers.load_pre.remove(_another_file)
    for module in reversed(MODULES):
        if hasattr(module, "unregister"):
            module.unregister()
    for cls in reversed(tuple(classes())):
        bpy.utils.unregister_class(cls)
