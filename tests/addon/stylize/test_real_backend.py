"""The whole road with the real backend: Blender renders, a toy diffusion model stylizes, the compositor has it.

Runs where WARPNOISE_PYTHON names a Python with the backend (and its tests' requirements).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest

import warpnoise_addon
from warpnoise_addon.stylize.status import STAGES

from ..result_files import frames_of, result_of
from ..toy_model import PYTHON, write_toy_model

ROOT = Path(warpnoise_addon.__file__).parents[1]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON, reason="WARPNOISE_PYTHON is not set"),
    pytest.mark.skipif(bool(bpy.app.binary_path), reason="the processes that it starts need the bpy wheel"),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return write_toy_model(tmp_path_factory.mktemp("model"))


def stylize(blend: Path, job: Path, *arguments: object, **environment: str) -> list[dict]:
    """The messages of a run that must succeed."""
    command = [sys.executable, "-m", "warpnoise_addon", blend, "stylize", "--output", job, "--json", *arguments]
    ended = subprocess.run(
        list(map(str, command)), cwd=ROOT, capture_output=True, text=True, timeout=300, env=os.environ | environment
    )
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines() if line.startswith('{"warpnoise"')]


@pytest.fixture
def blend(tmp_path) -> Path:
    """A file of three small frames."""
    bpy.ops.wm.read_factory_settings(use_empty=False)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 1
    scene.cycles.use_denoising = False
    scene.render.resolution_x = scene.render.resolution_y = 32
    scene.frame_end = 3
    path = tmp_path / "scene.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    return path


def test_from_the_scene_to_the_compositor_and_again(tmp_path, blend, model):
    job, saved = tmp_path / "job", tmp_path / "out.blend"
    settings = ["--model", model, "--style", "clay", "--steps", 4, "--save", saved]
    told = stylize(blend, job, *settings)
    assert [told[-1][key] for key in ("stage", "frames_done", "frames_kept")] == ["done", 3, 0]
    # Which stages of the backend are seen depends on when it is asked; their order does not.
    stages = list(dict.fromkeys(message["stage"] for message in told))
    assert stages == [name for name in STAGES if name in stages]
    assert {"backend", "exporting", "done"} <= set(stages)
    frames = {path.name: path.read_bytes() for path in sorted(frames_of(job).glob("*.png"))}
    assert list(frames) == ["0001.png", "0002.png", "0003.png"]
    assert frames["0001.png"] != (job / "color" / "0001.png").read_bytes()
    assert (result_of(job) / "movie.mp4").stat().st_size > 0
    assert json.loads((job / "job.json").read_text())["settings"]["style"] == "clay"

    bpy.ops.wm.open_mainfile(filepath=str(saved))
    assert [group for group in bpy.data.node_groups if "warpnoise_job" in group]

    # One frame is lost: the others are kept, and it comes out as it was.
    (frames_of(job) / "0002.png").unlink()
    told = stylize(blend, job, *settings, "--keep-existing")
    assert [told[-1][key] for key in ("stage", "frames_done", "frames_kept")] == ["done", 3, 2]
    assert (frames_of(job) / "0002.png").read_bytes() == frames["0002.png"]


TOKEN = "a-token-for-the-tests-0123456789"


@pytest.fixture
def server(tmp_path, model) -> Iterator[str]:
    """The URL of a server that takes uploads, and has the model by its name."""
    command = [PYTHON, "-m", "warpnoise", "serve", "--announce", "--exit-with-parent", "--port", "0"]
    command += ["--uploads", str(tmp_path / "spool"), "--models", str(model.parent)]
    environment = os.environ | {"WARPNOISE_TOKEN": TOKEN, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}"
        process.stdin.close()
        assert process.wait(30) == 0


@pytest.mark.once
def test_over_a_server_that_sees_no_folder_of_ours(tmp_path, blend, model, server):
    job = tmp_path / "job"
    settings = ["--style", "clay", "--steps", 4]
    variables = {"WARPNOISE_URL": server, "WARPNOISE_TOKEN": TOKEN}
    told = stylize(blend, job, "--model", model.name, *settings, **variables)
    assert [told[-1][key] for key in ("stage", "frames_done", "frames_kept")] == ["done", 3, 0]
    assert any(message["stage"] == "uploading" for message in told)
    frames = {path.name: path.read_bytes() for path in sorted(frames_of(job).glob("*.png"))}
    assert list(frames) == ["0001.png", "0002.png", "0003.png"]
    assert (result_of(job) / "movie.mp4").stat().st_size > 0

    # What came back came with its records: on this machine, with the model's folder, nothing is left to do.
    told = stylize(blend, job, "--model", model, *settings, "--keep-existing")
    assert [told[-1][key] for key in ("stage", "frames_done", "frames_kept")] == ["done", 3, 3]
    assert {path.name: path.read_bytes() for path in sorted(frames_of(job).glob("*.png"))} == frames


@pytest.mark.once
def test_a_preview_is_the_frame_of_the_shot_and_leaves_the_result(tmp_path, blend, model, server):
    job = tmp_path / "job"
    stylize(blend, job, "--model", model, "--style", "clay", "--steps", 4)
    before = {path.name: path.read_bytes() for path in frames_of(job).iterdir()}
    previewed = ["--style", "ink", "--steps", 4, "--keep-existing", "--preview", 2]
    told = stylize(blend, job, "--model", model, *previewed, OMP_NUM_THREADS="1")  # as the server has it: the same bits
    assert [told[-1][key] for key in ("stage", "frames_done")] == ["done", 1]
    preview = Path(told[-1]["result"]) / "frames" / "0002.png"
    assert told[-1]["newest"] == str(preview) and preview.parent != frames_of(job)
    assert {path.name: path.read_bytes() for path in frames_of(job).iterdir()} == before
    shown = preview.read_bytes()
    assert shown not in (before["0002.png"], (job / "color" / "0002.png").read_bytes())
    # A server is sent no more than it needs, and its frame is the same.
    shutil.rmtree(preview.parents[1])
    (job / "color" / "0003.png").unlink()
    stylize(blend, job, "--model", model.name, *previewed, WARPNOISE_URL=server, WARPNOISE_TOKEN=TOKEN)
    assert preview.read_bytes() == shown
    assert [path.name for path in (tmp_path / "spool").glob("*/job/color/*.png")] == ["0002.png"]
