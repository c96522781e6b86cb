"""The scene's properties, which are saved with the file, and their presets. The operator's arguments are named alike.

The settings come from `settings.json`. Only those that may change over the shot are animatable. Blender reads the
annotations when it registers the classes, so they must not be postponed: no `annotations` future here. No property has
a `search` function, because Blender 4.2 crashes at its end if one was registered and unregistered.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import bpy
from bl_operators.presets import AddPresetBase
from bl_ui.utils import PresetPanel
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    IntVectorProperty,
    PointerProperty,
    StringProperty,
)

from ..compat import PATH_OPTIONS
from ..settings import MEMORY, MODELS_OWN, RUN_OPTIONS, SETTINGS, Setting, Settings

_LARGEST = 2**31 - 1

# An operator does not remember them from one call to the next: missing arguments are the scene's.
_switch = partial(BoolProperty, default=False, options={"SKIP_SAVE"})


def _property(setting: Setting) -> Any:
    hints = setting.hints
    common: dict[str, Any] = {
        "name": setting.title,
        "description": setting.description,
        "options": {"SKIP_SAVE"} | ({"ANIMATABLE"} if hints.get("animatable") else set()),
    }
    if setting.choices:
        own = [(MODELS_OWN, setting.null.title().replace("'S", "'s"), "")] if setting.null else []
        default = MODELS_OWN if setting.default is None else setting.default
        return EnumProperty(**common, items=[*own, *setting.choices], default=default)
    if setting.kind == "boolean":
        return BoolProperty(**common, default=bool(setting.default))
    if setting.kind == "array":
        common["description"] = f"{setting.description}: {setting.hints.get('metavar', '...')}; ..."
    if setting.kind in ("string", "array"):
        subtype: Any = "DIR_PATH" if hints.get("subtype") == "MODEL" else hints.get("subtype", "NONE")
        subtype = subtype if subtype in ("DIR_PATH", "FILE_PATH") else "NONE"
        common["options"] |= PATH_OPTIONS if subtype != "NONE" else set()
        return StringProperty(**common, default=setting.text(setting.default), subtype=subtype)
    bounds = {
        "default": setting.default if setting.default is not None else hints.get("start", 0),
        "subtype": hints.get("subtype", "NONE"),
        "min": hints.get("min", setting.least),
        "max": setting.most,
        "soft_min": hints.get("soft_min", hints.get("min", setting.least)),
        "soft_max": hints.get("soft_max", setting.most),
    }
    if setting.kind == "integer":
        limited: dict[str, Any] = {
            name: value if isinstance(value, str) else int(max(-_LARGEST, min(value, _LARGEST)))
            for name, value in bounds.items()
        }
        return IntProperty(**common, **limited)
    return FloatProperty(**common, **{n: v for n, v in bounds.items() if isinstance(v, str) or abs(v) != float("inf")})


def _properties(settings: Mapping[str, Setting], lists: bool = False) -> dict[str, Any]:
    """The properties of settings. With ``lists`` those of lists are collections, else texts."""
    found: dict[str, Any] = {}
    for name, setting in settings.items():
        if setting.switched:
            found[f"use_{name}"] = _switch(name=setting.title, description=f"Set it here. Off: {setting.null}")
        if lists and name in ITEMS:
            found[name] = CollectionProperty(type=ITEMS[name], name=setting.title, description=setting.description)
            found[f"{name}_index"] = IntProperty(name=setting.title, options={"SKIP_SAVE"})
        else:
            found[name] = _property(setting)
    return found


ITEMS = {
    name: type(f"WARPNOISE_{name}", (bpy.types.PropertyGroup,), {"__annotations__": _properties(setting.items)})
    for name, setting in SETTINGS.items()
    if setting.items and not setting.hidden
}
"""The class of the items of each list among the settings."""
GENERATED = tuple(ITEMS.values())
_ON_SCENE = {name: setting for name, setting in SETTINGS.items() if not setting.hidden}
PRESET_PROPERTIES = tuple(name for name in _properties(_ON_SCENE) if name != "seed")
"""How a result looks: what a preset holds."""


def write_settings(owner: Any, settings: Settings) -> None:
    """Set the properties of an operator button."""
    for name, setting in SETTINGS.items():
        if setting.switched:
            setattr(owner, f"use_{name}", settings[name] is not None)
        if settings[name] is not None or not setting.switched:
            setattr(owner, name, setting.to_property(settings[name]))


_JOB = {name: RUN_OPTIONS[name] for name in ("output", "color_folder", "passes_folder", "keep_existing", "connect")}


class SettingsProperties:
    """``settings`` of job.json, and the options of a run, as an operator's arguments: lists are texts."""

    __annotations__ = _properties(SETTINGS) | _properties(RUN_OPTIONS)


class _SceneProperties:
    """Those that a file keeps, as properties of a scene: lists are collections."""

    __annotations__ = _properties(_ON_SCENE, lists=True) | _properties(_JOB)


SCENE_PROPERTIES = tuple(_SceneProperties.__annotations__)


class BackendOptions:
    """Those that belong to a computer, as properties of the preferences."""

    __annotations__ = _properties({name: RUN_OPTIONS[name] for name in ("batch", *MEMORY)})


class WARPNOISE_SceneSettings(_SceneProperties, bpy.types.PropertyGroup):
    """``scene.warpnoise``. It has no methods: Blender 4.2 crashes at its end when such a group was unregistered."""

    range: EnumProperty(
        name="Range",
        description="The range of frames to stylize",
        items=(
            ("SCENE", "Scene", "The scene's frame range and step"),
            ("CUSTOM", "Custom", "A custom range"),
        ),
        default="SCENE",
        options=set(),
    )
    frame_start: IntProperty(name="Frame Start", description="The first frame", default=1, options=set())
    frame_end: IntProperty(name="End", description="The last frame", default=24, options=set())
    frame_step: IntProperty(
        name="Step", description="The distance from one frame to the next", default=1, min=1, options=set()
    )
    source: EnumProperty(
        name="Source",
        description="The frames to stylize",
        items=(
            ("RENDER", "Render", "Render the frames with the scene's engine"),
            ("FRAMES", "Existing Frames", "Take existing frames from a folder"),
        ),
        default="RENDER",
        options=set(),
    )
    before_trial: IntVectorProperty(
        name="Before the Trial",
        description="The preview range before the trial: whether it was on, start, end; then the trial's start and end",
        size=5,
        options={"HIDDEN"},
    )


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
    bpy.types.Scene.warpnoise = PointerProperty(type=WARPNOISE_SceneSettings, name="Warpnoise")
    bpy.utils.register_preset_path(str(SHIPPED))


def unregister() -> None:
    bpy.utils.unregister_preset_path(str(SHIPPED))
    del bpy.types.Scene.warpnoise
