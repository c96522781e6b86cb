"""Settings that are lists: + and -, their fields, and what becomes of them in a run, a preset and the command line."""

from __future__ import annotations

from pathlib import Path

import bpy
import pytest

import warpnoise_addon
from warpnoise_addon.arguments import make_parser, operator_arguments
from warpnoise_addon.errors import SettingsError
from warpnoise_addon.settings import SETTINGS
from warpnoise_addon.stylize.second_blender import export_arguments
from warpnoise_addon.ui import properties
from warpnoise_addon.ui.make_request import make_request

LISTS = [name for name, setting in SETTINGS.items() if setting.items and not setting.hidden]


@pytest.fixture
def scene():
    bpy.ops.wm.read_factory_settings(use_empty=False)
    warpnoise_addon.register()
    label = properties.WARPNOISE_MT_presets.bl_label
    yield bpy.context.scene
    properties.WARPNOISE_MT_presets.bl_label = label  # Blender writes the preset's name there
    warpnoise_addon.unregister()


@pytest.fixture
def lora(tmp_path: Path) -> str:
    path = tmp_path / "a,b; c.safetensors"
    path.write_bytes(b"")
    return str(path)


@pytest.mark.parametrize("name", LISTS)
def test_plus_and_minus(scene, name):
    settings, items = scene.warpnoise, getattr(scene.warpnoise, name)
    for count in range(1, SETTINGS[name].longest + 1):
        assert bpy.ops.warpnoise.add_item(setting=name) == {"FINISHED"}
        assert (len(items), getattr(settings, f"{name}_index")) == (count, count - 1)
    with pytest.raises(RuntimeError, match=f"at most {SETTINGS[name].longest}"):
        bpy.ops.warpnoise.add_item(setting=name)
    setattr(settings, f"{name}_index", 0)
    for count in reversed(range(SETTINGS[name].longest)):
        assert bpy.ops.warpnoise.remove_item(setting=name) == {"FINISHED"}
        assert len(items) == count
    assert bpy.ops.warpnoise.remove_item(setting=name) == {"CANCELLED"}


@pytest.mark.parametrize("name", LISTS)
def test_a_new_item_has_the_schemas_values(scene, name):
    bpy.ops.warpnoise.add_item(setting=name)
    item = getattr(scene.warpnoise, name)[0]
    for part in SETTINGS[name].items.values():
        if part.default is not None:
            assert part.of(item) == part.default
        prop = item.bl_rna.properties[part.name]
        assert (prop.name, prop.description) == (part.title, part.description)


def test_items_reach_the_request(scene, lora):
    for weight in (0.6, 1.0):
        bpy.ops.warpnoise.add_item(setting="loras")
        item = scene.warpnoise.loras[-1]
        item.path, item.weight = lora, weight
    loras = make_request(bpy.context).settings["loras"]
    assert loras == [{"path": lora, "weight": 0.6}, {"path": lora, "weight": 1.0}]
    given = SETTINGS["loras"].to_property([{"path": lora, "weight": 2.0}])
    assert make_request(bpy.context, {"loras": given}).settings["loras"] == [{"path": lora, "weight": 2.0}]


def test_an_item_without_an_existing_file_is_refused_before_the_render(scene):
    bpy.ops.warpnoise.add_item(setting="loras")
    with pytest.raises(SettingsError, match="LoRAs: File: expected a value, got none"):
        make_request(bpy.context)
    scene.warpnoise.loras[0].path = "/nowhere/ink.safetensors"
    with pytest.raises(SettingsError, match=r"/nowhere/ink\.safetensors does not exist"):
        make_request(bpy.context)


def test_presets_hold_lists(scene, lora, tmp_path, monkeypatch):
    def user_resource(kind, path="", create=False):
        folder = tmp_path / kind.lower() / path
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder)

    monkeypatch.setattr(bpy.utils, "user_resource", user_resource)
    bpy.ops.warpnoise.add_item(setting="loras")
    scene.warpnoise.loras[0].path, scene.warpnoise.loras[0].weight = lora, 0.5
    assert bpy.ops.warpnoise.preset_add(name="mine") == {"FINISHED"}
    bpy.ops.warpnoise.reset_look()
    assert len(scene.warpnoise.loras) == 0
    (file,) = tmp_path.rglob("mine.py")
    bpy.ops.script.execute_preset(filepath=str(file), menu_idname="WARPNOISE_MT_presets")
    assert [(item.path, item.weight) for item in scene.warpnoise.loras] == [(lora, 0.5)]


def test_a_shipped_preset_empties_lists(scene):
    bpy.ops.warpnoise.add_item(setting="controls")
    file = next((properties.SHIPPED / "presets" / properties.SUBFOLDER).glob("*.py"))
    bpy.ops.script.execute_preset(filepath=str(file), menu_idname="WARPNOISE_MT_presets")
    assert len(scene.warpnoise.controls) == 0


def test_a_second_blenders_command_line_says_the_same(scene, lora):
    """The export of a window runs in another Blender, which is given all settings as arguments."""
    for weight in (0.0, 0.6):
        bpy.ops.warpnoise.add_item(setting="loras")
        scene.warpnoise.loras[-1].path, scene.warpnoise.loras[-1].weight = lora, weight
    bpy.ops.warpnoise.add_item(setting="controls")
    scene.warpnoise.controls[0].path, scene.warpnoise.controls[0].input = "someone/union", "normals"
    scene.warpnoise.keyframe_insert("strength", frame=1)
    scene.warpnoise.strength = 0.9
    scene.warpnoise.keyframe_insert("strength", frame=20)
    scene.warpnoise.loras[1].keyframe_insert("weight", frame=4)
    scene.timeline_markers.new("prompt: a house, in=snow; {at night}", frame=3)
    request = make_request(bpy.context)
    assert {row["data_path"] for row in request.settings["animation"]} == {"strength", "loras[1].weight", "prompt"}
    given = operator_arguments(make_parser("p").parse_args(export_arguments(request)))
    assert make_request(bpy.context, given).settings == request.settings
