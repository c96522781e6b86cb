"""Registers everything that the add-on adds to Blender, from one ordered list; unregisters in reverse order."""

from __future__ import annotations

from types import ModuleType

import bpy
from bpy.app.handlers import persistent

from . import command, translations
from .stylize import state
from .ui import (
    backend_operators,
    before_after,
    draw_settings,
    item_lists,
    key_pictures,
    model_list,
    model_operators,
    panel,
    pictures,
    playback,
    preferences,
    presets,
    properties,
    result_operators,
    stylize_operators,
)

CLASSES = (
    preferences.WARPNOISE_Preferences,
    *properties.ITEMS.values(),
    properties.WARPNOISE_SceneSettings,
    model_list.WARPNOISE_ListedModel,
    model_list.WARPNOISE_UL_models,
    model_operators.WARPNOISE_OT_list_models,
    model_operators.WARPNOISE_OT_offer_model,
    model_operators.WARPNOISE_OT_download_model,
    model_operators.WARPNOISE_OT_remove_model,
    model_operators.WARPNOISE_OT_set_base,
    key_pictures.WARPNOISE_OT_add_key_picture,
    key_pictures.WARPNOISE_OT_remove_key_picture,
    item_lists.WARPNOISE_UL_items,
    item_lists.WARPNOISE_OT_add_item,
    item_lists.WARPNOISE_OT_remove_item,
    stylize_operators.WARPNOISE_OT_stylize,
    stylize_operators.WARPNOISE_OT_cancel,
    backend_operators.WARPNOISE_OT_check_backend,
    backend_operators.WARPNOISE_OT_enter_token,
    backend_operators.WARPNOISE_OT_set_up,
    result_operators.WARPNOISE_OT_add_to_compositor,
    result_operators.WARPNOISE_OT_add_strip,
    result_operators.WARPNOISE_OT_show_frames,
    result_operators.WARPNOISE_OT_open_movie,
    result_operators.WARPNOISE_OT_use_result,
    result_operators.WARPNOISE_OT_remove_result,
    before_after.WARPNOISE_OT_before_after,
    playback.WARPNOISE_OT_leave_trial,
    draw_settings.WARPNOISE_MT_styles,
    presets.WARPNOISE_MT_presets,
    presets.WARPNOISE_OT_reset_look,
    presets.WARPNOISE_OT_preset_add,
    presets.WARPNOISE_PT_presets,
    *panel.PANELS,
)
# After the classes; each has register() and unregister().
MODULES: tuple[ModuleType, ...] = (
    translations,
    state,
    pictures,
    presets,
    properties,
    model_list,
    command,
)


@persistent  # type: ignore[untyped-decorator]
def _another_file(*_: object) -> None:
    """A run belongs to the file that is open: it ends with it."""
    state.stop_all()
    pictures.clear_newest()


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    for module in MODULES:
        module.register()
    bpy.app.handlers.load_pre.append(_another_file)


def unregister() -> None:
    bpy.app.handlers.load_pre.remove(_another_file)
    for module in reversed(MODULES):
        module.unregister()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
