"""Presets of the settings, with Blender's preset system. Some come with the add-on; Blender stores the user's own."""

from __future__ import annotations

from pathlib import Path

import bpy
from bl_operators.presets import AddPresetBase
from bl_ui.utils import PresetPanel

from .properties import PRESET_PROPERTIES

SUBFOLDER = "warpnoise"
SHIPPED = Path(__file__).resolve().parents[1]
"""Its folder `presets/warpnoise` has those that come with the add-on."""


class WARPNOISE_MT_presets(bpy.types.Menu):
    bl_label = "Warpnoise Presets"
    preset_subdir = SUBFOLDER
    preset_operator = "script.execute_preset"
    draw = bpy.types.Menu.draw_preset  # type: ignore[assignment]


class WARPNOISE_OT_reset_look(bpy.types.Operator):
    """Reset the settings of the look to their defaults. Seed, frames and folders do not change"""

    bl_idname = "warpnoise.reset_look"
    bl_label = "Reset to Default"
    bl_options = {"INTERNAL", "UNDO"}  # noqa: RUF012  Blender's own way

    def execute(self, context: bpy.types.Context) -> set[str]:
        for name in PRESET_PROPERTIES:
            context.scene.warpnoise.property_unset(name)
        return {"FINISHED"}


class WARPNOISE_OT_preset_add(AddPresetBase, bpy.types.Operator):  # type: ignore[misc]
    """Add the settings of the style and the noise as a preset, or remove the chosen one"""

    bl_idname = "warpnoise.preset_add"
    bl_label = "Add Warpnoise Preset"
    preset_menu = "WARPNOISE_MT_presets"
    preset_subdir = SUBFOLDER
    # In full: a name of `preset_defines` is not found in Blender 4.3 built with Python 3.13.
    preset_values = tuple(f"bpy.context.scene.warpnoise.{name}" for name in PRESET_PROPERTIES)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return context.scene is not None


class WARPNOISE_PT_presets(PresetPanel, bpy.types.Panel):
    bl_label = "Warpnoise Presets"
    preset_subdir = SUBFOLDER
    preset_operator = "script.execute_preset"
    preset_add_operator = "warpnoise.preset_add"


def register() -> None:
    bpy.utils.register_preset_path(str(SHIPPED))


def unregister() -> None:
    bpy.utils.unregister_preset_path(str(SHIPPED))
