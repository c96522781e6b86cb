"""Presets: the shipped ones are found and fit the default model, the user's are kept where Blender keeps them."""

from __future__ import annotations

import json
from pathlib import Path

import bpy
import pytest

import warpnoise_addon
from warpnoise_addon.ui import properties

ROOT = Path(warpnoise_addon.__file__).parents[1]
FILES = sorted((properties.SHIPPED / "presets" / properties.SUBFOLDER).glob("*.py"))


@pytest.fixture
def settings():
    bpy.ops.wm.read_factory_settings(use_empty=False)
    warpnoise_addon.register()
    label = properties.WARPNOISE_MT_presets.bl_label
    yield bpy.context.scene.warpnoise
    properties.WARPNOISE_MT_presets.bl_label = label  # Blender writes the preset's name there
    warpnoise_addon.unregister()


def found() -> list[Path]:
    return [Path(path) for path in bpy.utils.preset_paths(properties.SUBFOLDER)]


def test_the_shipped_presets_are_found_while_it_is_registered(settings):
    assert FILES and FILES[0].parent in found()
    warpnoise_addon.unregister()
    try:
        assert FILES[0].parent not in found()
    finally:
        warpnoise_addon.register()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_shipped_preset_resets_what_it_does_not_set(settings, file):
    styles = json.loads((ROOT / "backend/warpnoise/models/default/styles.json").read_text())["styles"]
    settings.model, settings.noise, settings.eta, settings.seed = "/elsewhere", "random", 1.0, 7
    bpy.ops.script.execute_preset(filepath=str(file), menu_idname="WARPNOISE_MT_presets")
    assert (settings.model, settings.noise, settings.eta, settings.seed) == ("default", "warped", 0.0, 7)
    assert settings.style in styles


def test_a_users_preset_brings_the_settings_back(settings, tmp_path, monkeypatch):
    def user_resource(kind, path="", create=False):
        folder = tmp_path / kind.lower() / path
        if create:
            folder.mkdir(parents=True, exist_ok=True)
        return str(folder)

    monkeypatch.setattr(bpy.utils, "user_resource", user_resource)
    settings.style, settings.strength = "oil", 0.25
    assert bpy.ops.warpnoise.preset_add(name="mine") == {"FINISHED"}
    (file,) = tmp_path.rglob("mine.py")
    settings.style, settings.strength = "ink", 0.75
    bpy.ops.script.execute_preset(filepath=str(file), menu_idname="WARPNOISE_MT_presets")
    assert (settings.style, settings.strength) == ("oil", 0.25)
