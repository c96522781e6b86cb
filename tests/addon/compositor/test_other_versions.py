"""A file that was saved in another version of Blender: its settings, and its compositor.

The other versions are the bpy environments beside the one that runs the tests, if there are any.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import bpy
import pytest

import warpnoise_addon
from warpnoise_addon.compositor import add_stylized

from ..result_files import frames_of
from .test_compositor import H, W, make_job, read_png, render, same, scene  # noqa: F401  a fixture, too

HERE = Path(__file__).resolve().parents[1]
OWN = ".".join(map(str, bpy.app.version))
OTHERS = {
    python.parents[1].name.removeprefix("bpy-"): python
    for python in sorted(Path(sys.prefix).parent.glob("bpy-*/bin/python"))
    if python.parents[1].name != Path(sys.prefix).name
}
SETTINGS = {
    "style": "ink",
    "prompt": "an ink drawing",
    "strength": 0.25,
    "use_steps": True,
    "steps": 7,
    "eta": 0.5,
    "seed": 11,
    "noise": "random",
    "use_guidance": True,
    "guidance": 3.0,
    "use_texture": True,
    "texture": 0.25,
    "source": "FRAMES",
    "frame_end": 42,
    "output": "//elsewhere",
}


@pytest.mark.slow
@pytest.mark.skipif(not OTHERS, reason="no bpy environment of another version beside this one")
@pytest.mark.parametrize("other", OTHERS)
def test_settings_and_compositor_survive(scene, tmp_path, other):  # noqa: F811
    job = make_job(scene, tmp_path / "job")
    (job / "size.json").write_text(json.dumps([W, H]))
    (job / "settings.json").write_text(json.dumps(SETTINGS))
    file = tmp_path / "scene.blend"
    subprocess.run([OTHERS[other], HERE / "save_scene.py", job, file], check=True, timeout=120, capture_output=True)

    warpnoise_addon.register()
    try:
        try:
            bpy.ops.wm.open_mainfile(filepath=str(file))
        except RuntimeError as refusal:
            pytest.skip(f"{OWN} does not open files of {other}: {refusal}")
        opened = bpy.context.scene
        assert {name: getattr(opened.warpnoise, name) for name in SETTINGS} == SETTINGS
        if int(other.partition(".")[0]) > bpy.app.version[0]:
            add_stylized(opened, job, connect=True)  # Blender 4 does not read the compositors of Blender 5
        same(render(opened, 2, tmp_path / "shown.png"), read_png(frames_of(job) / "0002.png"))
    finally:
        warpnoise_addon.unregister()
