"""Settings that are lists, drawn like Blender's own lists: the items, + and -, and the fields of the selected item.

Everything is generated from `settings.json`. Blender reads the annotations when it registers the classes: no
`annotations` future here.
"""

from typing import Any

import bpy
from bpy.props import StringProperty

from ..settings import SETTINGS, Setting
from .texts import iface, sentence


class WARPNOISE_UL_items(bpy.types.UIList):
    """The items of a list: the first field, the choices among the others, and the first number."""

    bl_idname = "WARPNOISE_UL_items"

    def draw_item(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        data: Any,
        item: Any,
        icon: int,
        active_data: Any,
        active_property: str,
        index: int,
    ) -> None:
        first, *others = SETTINGS[active_property.removesuffix("_index")].items.values()
        row = layout.row(align=True)
        row.label(text=_shown(first, item), icon="NONE" if getattr(item, first.name) else "ERROR", translate=False)
        for part in others:
            if part.choices:
                row.prop(item, part.name, text="", emboss=False)
        number = next((part for part in others if part.kind in ("number", "integer")), None)
        if number is not None:
            row.prop(item, number.name, text="", emboss=False)


def _shown(part: Setting, item: Any) -> str:
    """A path without its folders."""
    text = str(getattr(item, part.name))
    if not text:
        return iface("Choose a {kind}", kind=iface(part.title))
    return bpy.path.basename(text.rstrip("/\\")) if part.is_path else text


def draw_list(layout: bpy.types.UILayout, settings: Any, name: str) -> None:
    """The setting ``name`` of the scene's ``settings``."""
    setting, items, index = SETTINGS[name], getattr(settings, name), f"{name}_index"
    layout.label(text=setting.title)
    row = layout.row()
    row.template_list("WARPNOISE_UL_items", name, settings, name, settings, index, rows=3 if items else 2)
    column = row.column(align=True)
    column.operator("warpnoise.add_item", text="", icon="ADD").setting = name
    column.operator("warpnoise.remove_item", text="", icon="REMOVE").setting = name
    if 0 <= getattr(settings, index) < len(items):
        column = layout.column()
        for part in setting.items.values():
            draw_value(column, items[getattr(settings, index)], part)


def draw_value(layout: bpy.types.UILayout, owner: Any, setting: Setting) -> None:
    """Draws a setting that is not a list, with a check box if it can be left to the model."""
    layout = layout.row(heading=setting.title if setting.switched else "")
    # Blender has no keyframes for texts.
    layout.use_property_decorate = bool(setting.hints.get("animatable")) and setting.kind == "number"
    if not setting.switched:
        layout.prop(owner, setting.name, slider=setting.hints.get("subtype") == "FACTOR")
        return
    layout.prop(owner, f"use_{setting.name}", text="")
    row = layout.row()
    row.enabled = getattr(owner, f"use_{setting.name}")
    row.prop(owner, setting.name, text="", slider=setting.hints.get("subtype") == "FACTOR")


class _OfList:
    """Mixin: the setting that is a list."""

    bl_options = {"INTERNAL", "UNDO"}  # noqa: RUF012  Blender's own way

    setting: StringProperty(name="Setting", options={"SKIP_SAVE", "HIDDEN"})

    def _choose(self, settings: Any, index: int) -> None:
        last = len(getattr(settings, self.setting)) - 1
        setattr(settings, f"{self.setting}_index", max(min(index, last), 0))


class WARPNOISE_OT_add_item(_OfList, bpy.types.Operator):
    """Add an item to the list, and choose it"""

    bl_idname = "warpnoise.add_item"
    bl_label = "Add"

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings, setting = context.scene.warpnoise, SETTINGS[self.setting]
        items = getattr(settings, self.setting)
        if len(items) >= setting.longest:
            self.report({"ERROR"}, sentence("There can be at most {count}", count=setting.longest))
            return {"CANCELLED"}
        items.add()
        self._choose(settings, len(items) - 1)
        return {"FINISHED"}


class WARPNOISE_OT_remove_item(_OfList, bpy.types.Operator):
    """Remove the chosen item from the list"""

    bl_idname = "warpnoise.remove_item"
    bl_label = "Remove"

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.warpnoise
        items, index = getattr(settings, self.setting), getattr(settings, f"{self.setting}_index")
        if not 0 <= index < len(items):
            return {"CANCELLED"}
        items.remove(index)
        self._choose(settings, index)
        return {"FINISHED"}
