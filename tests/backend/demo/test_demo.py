"""The demo's steps over a stub of Blender, and the scene itself in a real one where there is one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from warpnoise.cli.main import run
from warpnoise.demo.steps import SCENE
from warpnoise.job import Shot

from ..tiny_models import write_styled_model

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[2]
ROOT = TESTS.parent


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return write_styled_model(tmp_path_factory.mktemp("models") / "toy")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """A toy network's threads wait for each other longer than they compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def demo(tmp_path, model, capsys, monkeypatch):
    """Runs `warpnoise demo` with the stub; its exit status, output and errors."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS), *sys.path]))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    stub = f"{sys.executable} {Path(__file__).with_name('stub_blender.py')} {model}"

    def call(*arguments: str) -> tuple[int, str, str]:
        given = ["--output", str(tmp_path / "demo"), "--blender", stub, "--model", str(model), "--steps", "2"]
        capsys.readouterr()
        status = run(["demo", *given, "--frames", "2", *arguments])
        return (status, *capsys.readouterr())

    return call


def test_the_steps_and_the_summary(demo, tmp_path):
    status, out, err = demo()
    folder = tmp_path / "demo"
    assert status == 0, err
    assert re.fullmatch(
        rf"""done in [\w ]+
  scene           {folder}/scene.blend
  stylized scene  {folder}/stylized.blend
  movie           {folder}/results/ink-\w+/movie.mp4
  random movie    {folder}/results/ink-\w+/movie.mp4
  picture         {folder}/side_by_side.png
  side by side    {folder}/side_by_side.mp4
  animation       {folder}/side_by_side.webp
""",
        out,
    ), out
    for line in out.splitlines()[1:]:
        assert Path(line.split()[-1]).is_file(), line
    assert [line for line in err.splitlines() if ":" not in line] == [
        "building the scene",
        "rendering and stylizing it in Blender",
        "  Rendering 0/2",
        "  Done",
        "stylizing once more, with random noise in every frame",
        "laying them side by side",
    ]
    assert "Blender 0.0 True stylize" in (folder / "blender.log").read_text()
    shot = Shot.open(folder)
    results = {result.info().settings.noise: result for result in shot.results()}
    assert sorted(results) == ["random", "warped"] and shot.current() == results["warped"]
    with Image.open(results["random"].frame(2)) as one, Image.open(results["warped"].frame(2)) as other:
        assert not np.array_equal(np.asarray(one), np.asarray(other))
    with Image.open(folder / "side_by_side.png") as picture:
        assert picture.height > 3 * 32


def test_without_random_noise(demo, tmp_path):
    status, out, _ = demo("--no-random")
    assert status == 0 and "random movie" not in out
    assert len(Shot.open(tmp_path / "demo").results()) == 1


def test_only_the_scene(demo, tmp_path):
    status, out, _ = demo("--scene-only")
    assert status == 0 and out.splitlines()[1:] == [f"  scene           {tmp_path}/demo/scene.blend"]
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == ["blender.log", "scene.blend"]


def test_a_failure_in_blender(demo, tmp_path):
    status, out, err = demo("--seed", "13")
    assert (status, out) == (3, "")
    assert "error: Stylizing the scene failed: Blender ended with status 3" in err
    assert err.endswith("warpnoise: Failed: an unlucky number\n")


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["--strength", "2"], 2, "strength"),
        (["--blender", "/no/such"], 6, "/no/such"),
        (["--frames", "1"], 2, "--frames"),
    ],
)
def test_bad_arguments(demo, tmp_path, arguments, status, says):
    got, out, err = demo(*arguments)
    assert (got, out) == (status, "") and err.startswith("error: ") and says in err
    assert not (tmp_path / "demo").exists()


def test_a_folder_that_cannot_be_made(demo, tmp_path):
    (tmp_path / "file").touch()
    status, _, err = demo("--output", str(tmp_path / "file" / "demo"))
    assert status == 3 and "cannot be made" in err


def bpy_pythons() -> list[str]:
    given = os.environ.get("WARPNOISE_BPY_PYTHON")
    installed = sorted(ROOT.glob(".envs/bpy-*/.installed"))
    return [given] if given else [str(path.with_name("bin") / "python") for path in installed]


@pytest.mark.skipif(not bpy_pythons(), reason="no Python with bpy: .envs/bpy-* or WARPNOISE_BPY_PYTHON")
def test_the_scene_in_blender(tmp_path):
    """What the demo promises of its scene: the camera and what it sees move by 3 pixels a frame and more."""
    look = """
import json, sys, bpy
from bpy_extras.object_utils import world_to_camera_view
bpy.ops.wm.open_mainfile(filepath=sys.argv[1])
scene = bpy.context.scene
def seen(frame):
    scene.frame_set(frame)
    things = [o.matrix_world.translation.copy() for o in scene.objects if o.type == "MESH" and o.name != "Meadow"]
    return [[256 * c for c in world_to_camera_view(scene, scene.camera, p)[:2]] for p in things]
turn = lambda name, frame: (scene.frame_set(frame), scene.objects[name].matrix_world.to_euler().z)[1]
print(json.dumps({"frames": [scene.frame_start, scene.frame_end], "size": scene.render.resolution_x,
  "seen": [seen(f) for f in range(1, 25)], "turned": turn("Tower", 24) - turn("Tower", 1),
  "engine": scene.render.engine, "camera": scene.camera.name}))
"""
    python = bpy_pythons()[-1]
    subprocess.run([python, str(SCENE), str(tmp_path / "scene.blend")], check=True, capture_output=True, timeout=120)
    done = subprocess.run(
        [python, "-c", look, str(tmp_path / "scene.blend")], check=True, capture_output=True, text=True, timeout=120
    )
    facts = json.loads(done.stdout.splitlines()[-1])
    assert (facts["frames"], facts["size"], facts["engine"]) == ([1, 24], 256, "CYCLES")
    moved = np.linalg.norm(np.diff(np.array(facts["seen"]), axis=0), axis=2)  # frames, things
    assert np.median(moved) >= 3, np.median(moved, axis=1)
    assert np.median(moved, axis=1).min() >= 2
    assert facts["turned"] > 1
