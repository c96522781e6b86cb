"""`farm/openjd/`: the templates, checked and run by Open Job Description's own command on the demo's scene."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import bpy
import pytest

import warpnoise_addon

from .result_files import frames_of, result_of
from .toy_model import PYTHON, write_toy_model

ROOT = Path(warpnoise_addon.__file__).parents[1]
FOLDER = ROOT / "farm" / "openjd"
TEMPLATES = {"chunks": FOLDER / "template.yaml", "parts": FOLDER / "without-chunking" / "template.yaml"}
OPENJD = Path(PYTHON).with_name("openjd")
FRAMES = 6
pytestmark = [
    pytest.mark.skipif(not OPENJD.is_file(), reason="there is no openjd beside WARPNOISE_PYTHON"),
    pytest.mark.skipif(os.name != "posix", reason="shell scripts stand for the programs"),
    pytest.mark.skipif(bool(bpy.app.binary_path), reason="the processes that it starts need the bpy wheel"),
]


def openjd(*arguments: object, **parameters: object) -> dict:
    """What the command answers."""
    given = [text for name, value in parameters.items() for text in ("--job-param", f"{name}={value}")]
    command = [str(OPENJD), *map(str, arguments), *given, "--output", "json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    return json.loads(done.stdout[done.stdout.index("{") :]) if "{" in done.stdout else {}


@pytest.mark.slow
@pytest.mark.parametrize("kind", TEMPLATES)
def test_a_template_is_valid_and_its_tasks_are_as_many_as_asked_for(kind):
    openjd("check", TEMPLATES[kind])
    paths = dict.fromkeys(("SceneFile", "JobFolder", "StylizedFile"), "/shared/x")
    given = paths | ({"Frames": "1-240"} if kind == "chunks" else {"PassTasks": 10, "StylizeTasks": 5})
    shown = openjd("summary", TEMPLATES[kind], **given)
    names = ["Passes", "KeyFrames", "Stylize", "Accumulate", "Movie", "Compositor"]
    assert [step["name"] for step in shown["steps"]] == names
    tasks = {step["name"]: step["total_tasks"] for step in shown["steps"]}
    assert (tasks["Passes"], tasks["Stylize"]) == ((240, 240) if kind == "chunks" else (10, 5))


def program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def blend(tmp_path_factory) -> Path:
    """The demo's scene, which asks for a toy model."""
    folder = tmp_path_factory.mktemp("scene")
    path = folder / "scene.blend"
    script = ROOT / "backend" / "warpnoise" / "demo" / "scene.py"
    size = ["--frames", str(FRAMES), "--size", "48"]
    subprocess.run([sys.executable, str(script), str(path), *size], check=True, timeout=200, capture_output=True)
    bpy.ops.wm.open_mainfile(filepath=str(path))
    warpnoise_addon.register()
    settings = bpy.context.scene.warpnoise
    settings.model, settings.style = str(write_toy_model(folder / "model")), "clay"
    settings.use_steps, settings.steps = True, 4
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    warpnoise_addon.unregister()
    return path


@pytest.fixture(scope="module")
def programs(tmp_path_factory) -> dict[str, Path]:
    """Blender, for which the bpy wheel stands, and the backend's command."""
    folder = tmp_path_factory.mktemp("programs")
    one_thread = "export OMP_NUM_THREADS=1"  # the bits of a model's output depend on how many there are
    blender = f'{one_thread}; file=$2; shift 4; cd "{ROOT}"; exec "{sys.executable}" -m warpnoise_addon "$file" "$@"'
    return {
        "Blender": program(folder / "blender", blender),
        "Warpnoise": program(folder / "warpnoise", f'{one_thread}; exec "{PYTHON}" -m warpnoise "$@"'),
    }


@pytest.mark.slow
def test_three_chunks_have_the_bits_of_one_run(tmp_path, blend, programs):
    job, saved, alone = tmp_path / "job", tmp_path / "out.blend", tmp_path / "alone"
    job.mkdir()
    given = {"SceneFile": blend, "JobFolder": job, "StylizedFile": saved, "Frames": f"1-{FRAMES}", **programs}
    chunks = {"PassChunk": 2, "StylizeChunk": 2}
    openjd("run", TEMPLATES["chunks"], **given, **chunks)

    command = [programs["Blender"], "--background", blend, "--command", "warpnoise", "export", "--output", alone]
    subprocess.run(list(map(str, command)), check=True, timeout=200, capture_output=True)
    subprocess.run([str(programs["Warpnoise"]), "stylize", str(alone)], check=True, timeout=200, capture_output=True)
    assert (job / "job.json").read_bytes() == (alone / "job.json").read_bytes()
    for number in range(1, FRAMES + 1):
        name = f"{number:04d}.png"
        assert (frames_of(job) / name).read_bytes() == (frames_of(alone) / name).read_bytes(), name
    assert (result_of(job) / "movie.mp4").read_bytes() == (result_of(alone) / "movie.mp4").read_bytes()
    bpy.ops.wm.open_mainfile(filepath=str(saved))
    assert [group for group in bpy.data.node_groups if "warpnoise_job" in group]


@pytest.mark.slow
def test_the_parts_of_a_scheduler_without_chunks(tmp_path, blend, programs):
    """Only the steps whose tasks are others."""
    job = tmp_path / "job"
    job.mkdir()
    given = {"SceneFile": blend, "JobFolder": job, "StylizedFile": tmp_path / "out.blend", "Frames": "1-3", **programs}
    parts = {"PassTasks": 2, "StylizeTasks": 2}
    openjd("run", TEMPLATES["parts"], "--step", "Passes", **given, **parts)
    assert len(json.loads((job / "job.json").read_text())["frames"]) == 3
    openjd("run", TEMPLATES["parts"], "--step", "Stylize", "--tasks", '[{"Part": 2}]', **given, **parts)
    made = sorted(path.name for path in frames_of(job).iterdir())
    assert made == ["0001.png", "0003.png"]  # its segment, and the key frame before it
