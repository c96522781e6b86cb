"""The manual's examples for Blender run as they stand there."""

from __future__ import annotations

import os
import re
from pathlib import Path

import bpy
import pytest

import warpnoise_addon
from warpnoise_addon.stylize import state

from .fake_python import write_fake_python
from .result_files import frames_of

MANUAL = Path(__file__).resolve().parents[2] / "docs" / "manual.md"
EXAMPLES = [
    code
    for code in re.findall(r"^```python\n(.*?)^```", MANUAL.read_text("utf-8"), re.S | re.M)
    if "import bpy" in code
]


@pytest.fixture
def scene():
    """The default scene, small and quick to render, with the add-on registered."""
    bpy.ops.wm.read_factory_settings(use_empty=False)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 1
    scene.cycles.use_denoising = False
    scene.render.resolution_x, scene.render.resolution_y = 32, 24
    warpnoise_addon.register()
    yield scene
    warpnoise_addon.unregister()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="a shell script stands for the backend's Python")
@pytest.mark.parametrize("code", EXAMPLES, ids=range(len(EXAMPLES)))
def test_example(code, scene, tmp_path, monkeypatch):
    monkeypatch.setenv("WARPNOISE_PYTHON", str(write_fake_python(tmp_path, "good")))
    monkeypatch.chdir(tmp_path)
    exec(compile(code, str(MANUAL), "exec"), {})
    assert state.last.stage == "done", state.last.error
    assert sorted(path.name for path in frames_of(Path("shot")).glob("*.png")) == ["0001.png", "0002.png"]


def test_there_are_examples():
    assert len(EXAMPLES) == 2
