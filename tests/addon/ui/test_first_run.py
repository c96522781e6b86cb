"""The way to a first result: what the panel offers, and what a trial renders and leaves alone."""

from __future__ import annotations

import json
import os
import struct
from types import SimpleNamespace

import bpy
import pytest

import warpnoise_addon
from warpnoise_addon.arguments import make_parser, operator_arguments
from warpnoise_addon.stylize import state
from warpnoise_addon.stylize.second_blender import export_arguments
from warpnoise_addon.ui import first_run, preferences
from warpnoise_addon.ui.make_request import make_request

from ..fake_python import write_fake_python


class Layout:
    """Notes what is drawn: texts, and buttons with their properties."""

    def __init__(self) -> None:
        self.buttons: dict[str, SimpleNamespace] = {}
        self.texts: list[str] = []

    def column(self, **options: object) -> Layout:
        return self

    def label(self, text: str = "", **options: object) -> None:
        self.texts.append(text)

    def operator(self, name: str, text: str = "", **options: object) -> SimpleNamespace:
        self.buttons[name] = SimpleNamespace(text=text)
        return self.buttons[name]


@pytest.fixture
def scene(tmp_path, monkeypatch):
    bpy.ops.wm.read_factory_settings(use_empty=False)
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.samples = "CYCLES", 1
    scene.cycles.use_denoising = False
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 640, 320, 50
    warpnoise_addon.register()
    monkeypatch.setattr(preferences.environments(), "folder", tmp_path, raising=False)
    for name in ("WARPNOISE_PYTHON", "WARPNOISE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    scene.warpnoise.output = str(tmp_path / "job")
    yield scene
    warpnoise_addon.unregister()


def drawn() -> Layout:
    layout = Layout()
    first_run.draw_first_run(layout, bpy.context)
    return layout


@pytest.mark.skipif(os.name != "posix", reason="a shell script stands for the backend's Python")
def test_set_up_comes_first_then_a_trial_until_there_is_a_result(scene, tmp_path, monkeypatch):
    assert list(drawn().buttons) == ["warpnoise.set_up"]
    monkeypatch.setenv("WARPNOISE_PYTHON", str(write_fake_python(tmp_path, "good")))
    layout = drawn()
    assert list(layout.buttons) == ["warpnoise.stylize"]
    button = layout.buttons["warpnoise.stylize"]
    assert (button.text, button.size, button.frames) == ("Try It on This Scene at 256 px", 256, "1:12")
    (tmp_path / "job" / "results").mkdir(parents=True)
    assert not drawn().buttons


@pytest.mark.parametrize("before", [(False, 0, 0), (True, 5, 9)])
def test_playback_shows_the_trial_until_it_is_left(scene, before):
    def shown() -> tuple[bool, int, int]:
        return scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end

    if before[0]:
        scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = before
    for first, last in ((1, 12), (100, 111)):  # a second trial remembers what was before the first
        first_run.play_trial(scene, first, last)
        assert shown() == (True, first, last)
    assert bpy.ops.warpnoise.leave_trial() == {"FINISHED"}
    assert shown() == before and not first_run.is_trial(scene)


def test_a_preview_range_that_was_changed_after_the_trial_stays(scene):
    first_run.play_trial(scene, 1, 12)
    scene.frame_preview_end = 40
    first_run.leave_trial(scene)
    assert (scene.use_preview_range, scene.frame_preview_end) == (True, 40)


@pytest.mark.parametrize(
    ("start", "end", "current", "frames"),
    [(1, 250, 1, "1:12"), (1, 250, 40, "40:51"), (1, 250, 245, "239:250"), (10, 14, 1, "10:14"), (5, 5, 5, "5:5")],
)
def test_the_frames_of_a_trial(scene, start, end, current, frames):
    scene.frame_start, scene.frame_end = start, end
    scene.frame_set(current)
    assert first_run.trial_frames(scene) == frames


def test_the_second_blender_renders_into_the_folder_of_the_trial(scene, tmp_path):
    request = make_request(bpy.context, {"size": 64, "frames": "1:2"})
    assert request.folder == tmp_path / "job-64px"
    given = operator_arguments(make_parser("p").parse_args(export_arguments(request)))
    assert (make_request(bpy.context, given).folder, given["size"]) == (request.folder, 64)


@pytest.mark.skipif(os.name != "posix", reason="a shell script stands for the backend's Python")
def test_a_trial_is_small_and_leaves_the_scene_and_its_folder_alone(scene, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", os.defpath)
    monkeypatch.setenv("WARPNOISE_PYTHON", str(write_fake_python(tmp_path, "good")))
    scene.cycles.samples, samples = 4096, set()
    handlers = bpy.app.handlers.render_pre
    handlers.append(note := lambda scene, _: samples.add(scene.cycles.samples))
    assert bpy.ops.warpnoise.stylize(size=64, frames="1:2", progress="NONE") == {"FINISHED"}
    handlers.remove(note)
    assert max(samples) == 16 and scene.cycles.samples == 4096
    trial = tmp_path / "job-64px"
    assert json.loads((trial / "job.json").read_text())["scene"]["width"] == 64
    assert struct.unpack(">II", (trial / "color" / "0001.png").read_bytes()[16:24]) == (64, 32)
    assert not (tmp_path / "job").exists()
    render = scene.render
    assert (render.resolution_x, render.resolution_y, render.resolution_percentage) == (640, 320, 50)
    assert len(bpy.data.node_groups) == 0
    assert state.last.stage == "done"
