"""The panel: in three places with the same contents, and what it knows before a backend has been started."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest

import warpnoise_addon
from warpnoise_addon.settings import SETTINGS
from warpnoise_addon.ui import draw_settings, icons, panel

ROOT = Path(warpnoise_addon.__file__).parents[1]


@pytest.fixture
def registered():
    bpy.ops.wm.read_factory_settings(use_empty=False)
    warpnoise_addon.register()
    yield bpy.context.scene.warpnoise
    warpnoise_addon.unregister()


def test_the_same_sections_in_three_places(registered):
    for suffix, place in panel.PLACES.items():
        for name in ("main", *(section.name for section in panel.SECTIONS)):
            made = getattr(bpy.types, f"WARPNOISE_PT_{name}{suffix}")
            assert issubclass(made, place)


def test_only_the_compositors_tree_has_it(registered):
    poll = bpy.types.WARPNOISE_PT_main_node.poll
    for tree, shown in (("CompositorNodeTree", True), ("ShaderNodeTree", False)):
        assert poll(SimpleNamespace(space_data=SimpleNamespace(tree_type=tree))) is shown


def test_every_style_of_the_default_model_has_a_small_picture(registered):
    styles = json.loads((ROOT / "backend/warpnoise/models/default/styles.json").read_text())["styles"]
    assert styles == list(icons.STYLES)
    assert all((icons.STYLES_FOLDER / f"{style}.png").stat().st_size < 10_000 for style in styles)
    assert icons.style_icon("no such style") == 0


def test_what_is_known_of_models_before_a_backend_runs(registered):
    assert "ink" in draw_settings.known_styles("default") and "prompt" not in draw_settings.takes(" default")
    assert draw_settings.known_styles("/models/sd15") == [] and draw_settings.takes("/models/sd15") is None


def test_only_what_may_change_over_the_shot_can_be_animated(registered):
    registered.loras.add()
    for owner, settings in ((registered, SETTINGS), (registered.loras[0], SETTINGS["loras"].items)):
        for name, prop in owner.bl_rna.properties.items():
            wanted = name in settings and bool(settings[name].hints.get("animatable"))
            assert prop.is_animatable is wanted or name in ("name", "rna_type"), name
