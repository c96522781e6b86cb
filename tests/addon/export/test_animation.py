"""Settings that Blender animates, and prompts in markers, as the table of a job's settings."""

from __future__ import annotations

import bpy
import pytest

import warpnoise_addon
from warpnoise_addon.errors import SettingsError
from warpnoise_addon.export.animation import animated_settings
from warpnoise_addon.settings import make_settings
from warpnoise_addon.ui.make_request import make_request


@pytest.fixture
def scene():
    bpy.ops.wm.read_factory_settings(use_empty=False)
    warpnoise_addon.register()
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, 9
    yield scene
    warpnoise_addon.unregister()


def key(owner, name: str, values: dict[int, float]) -> None:
    for frame, value in values.items():
        setattr(owner, name, value)
        owner.keyframe_insert(name, frame=frame)


def rows(settings, path: str) -> dict[int, object]:
    return {row["frame"]: row["value"] for row in settings["animation"] if row["data_path"] == path}


def test_keyframes_are_read_at_every_frame(scene):
    key(scene.warpnoise, "strength", {3: 0.2, 5: 0.8})
    scene.frame_set(9)
    settings = make_request(bpy.context).settings
    found = rows(settings, "strength")
    assert found[1] == found[3] == pytest.approx(0.2) and found[5] == found[9] == pytest.approx(0.8)
    assert 0.2 < found[4] < 0.8, "between them as Blender has it"
    assert 2 not in found and 7 not in found, "of what stays, the ends are enough"
    assert settings["strength"] == pytest.approx(0.2), "whatever the current frame is"
    assert rows(make_request(bpy.context, {"strength": 0.5}).settings, "strength") == {}


def test_weights_of_items(scene):
    item = scene.warpnoise.loras.add()
    item.path = "ink.safetensors"
    key(item, "weight", {1: 0.0, 9: 1.0})
    settings = animated_settings(make_settings(loras=[{"path": "ink.safetensors", "weight": 1.0}]), scene, range(1, 10))
    found = rows(settings, "loras[0].weight")
    assert found[1] == 0 and found[9] == 1 and settings["loras"][0]["weight"] == 0
    assert rows(animated_settings(make_settings(), scene, range(1, 10)), "loras[0].weight") == {}, "it was removed"


def test_markers_hold_prompts(scene):
    bpy.data.texts.new("Long Text").from_string("a long text\n")
    for name, frame in (("prompt: summer", 1), ("Prompt: Long Text", 5), ("negative prompt: fog", 3), ("cut", 4)):
        scene.timeline_markers.new(name, frame=frame)
    settings = make_request(bpy.context).settings
    assert rows(settings, "prompt") == {1: "summer", 5: "a long text"}
    assert rows(settings, "negative_prompt") == {3: "fog"}
    assert (settings["prompt"], settings["negative_prompt"]) == ("summer", "fog")
    assert rows(make_request(bpy.context, {"prompt": "x"}).settings, "prompt") == {}
    scene.timeline_markers.new("prompt: winter", frame=5)
    with pytest.raises(SettingsError, match="frame 5 has two markers with a prompt"):
        make_request(bpy.context)


def test_nothing_is_animated_without_keys(scene):
    assert make_request(bpy.context).settings["animation"] == []
