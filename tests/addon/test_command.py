"""`warpnoise stylize` and `export`, run as users run them: in a process of their own, with a backend that is a fake."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import bpy
import pytest

import warpnoise_addon
from warpnoise_addon.arguments import make_parser, operator_arguments
from warpnoise_addon.settings import SETTINGS

from .result_files import frames_of

ROOT = Path(warpnoise_addon.__file__).parents[1]
FAKE = Path(__file__).with_name("fake_backend.py")
pytestmark = pytest.mark.skipif(bool(bpy.app.binary_path), reason="the processes that it starts need the bpy wheel")
posix = pytest.mark.skipif(os.name != "posix", reason="a shell script stands for the backend's Python")


@pytest.fixture(scope="module")
def blend(tmp_path_factory) -> Path:
    """A file whose rendering takes no time: a cube that turns, 32 x 24 pixels, a compositor that is untouched."""
    path = tmp_path_factory.mktemp("scene") / "scene.blend"
    bpy.ops.wm.read_factory_settings(use_empty=False)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 1
    scene.cycles.use_denoising = False
    scene.render.resolution_x, scene.render.resolution_y = 32, 24
    scene.frame_end = 3
    cube = bpy.data.objects["Cube"]
    for frame, angle in ((1, 0.0), (3, 0.5)):
        cube.rotation_euler[2] = angle
        cube.keyframe_insert("rotation_euler", frame=frame)
    bpy.data.scenes.new("Second").camera = None
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    return path


@pytest.fixture
def backend(tmp_path):
    """Makes the fake backend a program that takes `-m warpnoise serve ...`, as a Python does."""

    def make(mode: str) -> dict[str, str]:
        program = tmp_path / f"python-{mode}"
        program.write_text(f'#!/bin/sh\nshift 2\nexec "{sys.executable}" "{FAKE}" {mode} "$@"\n')
        program.chmod(0o755)
        return {"WARPNOISE_PYTHON": str(program)}

    return make


def command(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("WARPNOISE_")} | environment
    return subprocess.Popen(
        [sys.executable, "-m", "warpnoise_addon", *map(str, arguments)],
        cwd=ROOT,
        env=environ | {"PYTHONUNBUFFERED": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(*arguments: object, **environment: str) -> tuple[int, str, str]:
    """(exit status, standard output, standard error)."""
    with command(*arguments, **environment) as process:
        out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def messages(out: str) -> list[dict]:
    return [json.loads(line) for line in out.splitlines() if line.startswith('{"warpnoise"')]


@pytest.mark.slow
@posix
def test_stylize_and_save(blend, backend, tmp_path):
    job, saved = tmp_path / "job", tmp_path / "out.blend"
    before = blend.read_bytes()
    code, out, err = run(
        blend, "stylize", "--output", job, "--save", saved, "--strength", 0.6, "--style", "ink", "--steps", 7,
        "--json", **backend("good"),
    )  # fmt: skip
    assert code == 0, err
    assert sorted(path.name for path in frames_of(job).iterdir()) == ["0001.png", "0002.png", "0003.png"]
    assert blend.read_bytes() == before

    sent = json.loads((job / "request.json").read_text())
    assert sent["settings"]["strength"] == 0.6
    assert (sent["settings"]["style"], sent["settings"]["steps"]) == ("ink", 7)
    assert json.loads((job / "job.json").read_text())["settings"] == sent["settings"]

    told = messages(out)
    assert [m["stage"] for m in told][:2] == ["backend", "backend"]
    assert [m["frames_done"] for m in told if m["stage"] == "exporting"] == [0, 1, 2, 3]
    assert told[-1]["stage"] == "done"
    assert "a warning of the fake backend" in told[-1]["warnings"]

    bpy.ops.wm.open_mainfile(filepath=str(saved))
    groups = [group for group in bpy.data.node_groups if "warpnoise_job" in group]
    assert len(groups) == 1
    assert Path(bpy.path.abspath(groups[0].nodes["Stylized Sequence"].image.filepath)) == frames_of(job) / "0001.png"


@pytest.mark.slow
@posix
def test_an_export_reports_its_warnings(blend, tmp_path):
    """Of a scene whose Freestyle lines have no motion."""
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    scene = bpy.context.scene
    scene.render.use_freestyle = scene.view_layers[0].use_freestyle = True
    file = tmp_path / "lines.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(file))
    code, _, err = run(file, "export", "--frames=1:2", "--output", tmp_path / "job")
    assert code == 0, err
    assert err.count("warpnoise: warning: Freestyle has no motion") == 1


def test_export_then_nothing_else(blend, tmp_path):
    code, out, err = run(blend, "export", "--frames", "2:3", "--output", tmp_path / "job", "--seed", 5)
    assert code == 0, err
    assert "warpnoise: Rendering 2/2" in out
    job = json.loads((tmp_path / "job" / "job.json").read_text())
    assert (job["scene"]["frame_start"], job["scene"]["frame_end"], job["settings"]["seed"]) == (2, 3, 5)
    assert not frames_of(tmp_path / "job").exists()


@pytest.mark.slow
@posix
def test_steps_alone(blend, backend, tmp_path):
    job, saved = tmp_path / "job", tmp_path / "out.blend"

    def exported(only: str) -> tuple[list[str], ...]:
        code, out, err = run(blend, "export", "--frames", "ALL", "--only", only, "--output", job, "--openjd")
        assert code == 0, err
        told = [line.split(": ")[1] for line in out.splitlines() if line.startswith("openjd_progress: ")]
        assert (told[0], told[-1]) == ("0.0", "100.0")
        return tuple(sorted(path.name for path in (job / kind).iterdir()) for kind in ("color", "passes"))

    assert exported("2") == (["0002.png"], ["0002.exr"])
    assert not (job / "job.json").exists(), "the frame before has no motion yet"
    code, out, err = run(blend, "compositor", "--output", job, "--save", saved, "--openjd")
    assert code == 3 and "openjd_fail: " in out and not saved.exists()
    exported("1,3")
    assert len(json.loads((job / "job.json").read_text())["frames"]) == 3
    code, _, err = run(blend, "stylize", "--only", "1,3", "--output", job, **backend("good"))
    assert code == 0, err
    assert json.loads((job / "request.json").read_text())["frames"] == "1,3"
    code, out, err = run(blend, "compositor", "--output", job, "--save", saved)
    assert (code, saved.is_file()) == (0, True), err
    bpy.ops.wm.open_mainfile(filepath=str(saved))
    assert [group for group in bpy.data.node_groups if "warpnoise_job" in group]


@posix
@pytest.mark.slow
def test_sigterm_ends_a_long_render_and_leaves_nothing_half_written(blend, tmp_path):
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    bpy.context.scene.cycles.samples = 2**20  # hours
    bpy.context.scene.cycles.use_adaptive_sampling = False
    long = tmp_path / "long.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(long))
    code = (
        "import sys; from warpnoise_addon import command; command.GRACE_SECONDS = 1.0; "
        "from warpnoise_addon.__main__ import _leave, main; _leave(main(sys.argv[1:]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", code, long, "export", "--output", tmp_path / "job"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    try:
        for line in process.stdout:
            if b"Rendering" in line:
                break
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 130
    finally:
        process.kill()
        process.communicate()
    assert not [path for kind in ("color", "passes") for path in (tmp_path / "job" / kind).iterdir()]


@pytest.mark.slow
@posix
@pytest.mark.once
def test_a_chunk(blend, backend, tmp_path):
    code, out, err = run(blend, "stylize", "--output", tmp_path / "job", "--chunk", "2/3", "--json", **backend("good"))
    assert code == 0, err
    assert json.loads((tmp_path / "job" / "request.json").read_text())["frames"] == "2"
    assert [path.name for path in (tmp_path / "job" / "color").iterdir()] == ["0002.png"]
    assert sorted(path.name for path in (tmp_path / "job" / "passes").iterdir()) == ["0001.exr", "0002.exr"]
    assert [m["frames_done"] for m in messages(out) if m["stage"] == "exporting"] == [0, 1, 2]


@pytest.mark.slow
@pytest.mark.once
def test_an_empty_chunk_needs_no_backend_and_is_reported(blend, tmp_path):
    for action in ("stylize", "export"):
        code, out, err = run(
            blend, action, "--output", tmp_path / "job", "--chunk", "1/4", "--json", WARPNOISE_PYTHON="/nowhere/python"
        )
        assert code == 0, err
        assert messages(out)[-1]["stage"] == "done"
        assert messages(out)[-1]["warnings"] == ["this chunk of frames 1-3 is empty: there are more chunks than frames"]
        assert not (tmp_path / "job").exists()


@pytest.mark.slow
@posix
def test_only_negative_frames_are_stylized_and_saved_with_a_warning(blend, backend, tmp_path):
    job, saved = tmp_path / "job", tmp_path / "out.blend"
    code, out, err = run(blend, "stylize", "--frames=-2:-1", "--output", job, "--save", saved, **backend("good"))
    assert code == 0, err
    assert sorted(path.name for path in frames_of(job).iterdir()) == ["-0001.png", "-0002.png"]
    assert "only frames before frame 0 are finished: image sequences have no negative numbers" in (out + err).lower()
    assert f"2 stylized frames in {frames_of(job).parent}" in out
    assert saved.is_file()


@pytest.mark.slow
@pytest.mark.once
def test_frames_that_are_rendered_already(blend, backend, tmp_path):
    code, _, err = run(blend, "export", "--output", tmp_path / "first")
    assert code == 0, err
    code, _, err = run(
        blend, "stylize", "--output", tmp_path / "job", "--color", tmp_path / "first" / "color", **backend("good")
    )
    assert code == 0, err
    for name in ("0001.png", "0003.png"):
        assert (frames_of(tmp_path / "job") / name).is_file()


@pytest.mark.slow
@posix
@pytest.mark.once
@pytest.mark.parametrize(
    ("mode", "status", "words"),
    [
        ("old", 6, "too old"),
        ("new", 6, "too new"),
        ("broken", 6, "libtorch_cpu"),
        ("empty", 5, "there is no such folder"),
        ("dies", 6, "ended in the middle: exit code 70"),
        ("refuses", 2, "got 2.0"),
        ("fails", 5, "sour"),
    ],
)
def test_every_failure_has_a_message_and_a_status(blend, backend, tmp_path, mode, status, words):
    code, _, err = run(blend, "stylize", "--output", tmp_path / "job", "--save", tmp_path / "o.blend", **backend(mode))
    assert code == status
    assert words in err and "Traceback" not in err
    assert not (tmp_path / "o.blend").exists()
    # Nothing is rendered before the backend is there; what is finished stays.
    assert (tmp_path / "job").exists() == (mode not in ("old", "new", "broken", "empty"))
    assert (frames_of(tmp_path / "job") / "0001.png").exists() == (mode in ("dies", "fails"))


@pytest.mark.slow
@pytest.mark.once
def test_no_backend(blend, tmp_path):
    code, _, err = run(blend, "stylize", "--output", tmp_path / "job", PATH="")
    assert code == 6
    assert "pip install 'warpnoise[serve]'" in err
    code, out, _ = run(blend, "stylize", "--output", tmp_path / "job", "--json", WARPNOISE_PYTHON="/nowhere/python")
    assert code == 6
    assert messages(out)[-1]["error"] == {
        "message": "the variable WARPNOISE_PYTHON names /nowhere/python as the backend's Python, "
        "but there is no such file",
        "exit_status": 6,
    }


@pytest.mark.slow
@posix
def test_ctrl_c_cancels_and_the_backend_ends(blend, backend, tmp_path):
    process = command(blend, "stylize", "--output", tmp_path / "job", **backend("slow"))
    with process:
        while "Stylizing" not in process.stdout.readline():
            assert process.poll() is None, process.stderr.read()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert not (frames_of(tmp_path / "job") / "0003.png").exists()
    assert "cancelled" in err and "Traceback" not in err


@pytest.mark.slow
def test_the_export_ends_with_its_parent(blend, tmp_path):
    with command(blend, "export", "--exit-with-parent", "--output", tmp_path / "job", "--frames", "1:5000") as process:
        while "Rendering 1/" not in process.stdout.readline():
            assert process.poll() is None, process.stderr.read()
        process.stdin.close()
        assert process.wait(20) == 130
        process.stdin = None


@pytest.mark.once
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["stylize", "--frames", "1-24,x"], "'x' is neither a frame"),
        (["stylize", "--frames", "5:1"], "'5:1' is empty: it ends before its start"),
        (["stylize", "--chunk", "0/10"], "chunk 0/10: expected a number from 1 to the count"),
        (["stylize", "--chunk", "11/10"], "chunk 11/10: expected"),
        (["export", "--chunk", "3"], "chunk: expected K/N like 3/10, got '3'"),
        (["export", "--only", ""], "--only: expected a value, got none"),
        (["stylize", "--chunk", "1/2", "--save", "out.blend"], "a part of a shot is not added to the compositor"),
        (["stylize", "--strength", "0"], "expected a number above 0 to 1"),
        (["stylize", "--steps", "many"], "expected a whole number from 1"),
        (["stylize", "--noise", "brown"], "expected one of warped"),
        (["stylize", "--model", "/nowhere/model"], "does not exist"),
        (["stylize", "--save", "out.png"], "ends in .blend"),
        (["compositor", "--save", ""], "ends in .blend"),
        (["stylize", "--save", "/nowhere/out.blend"], "no folder /nowhere"),
        (["stylize", "--scene", "Third"], "no scene 'Third'"),
        (["paint"], "invalid choice"),
        ([], "required"),
    ],
)
def test_bad_arguments(blend, backend, tmp_path, arguments, words):
    code, _, err = run(blend, *arguments, **backend("good"))
    assert code == 2
    assert words in err and "Traceback" not in err


@posix
def test_a_scene_without_a_camera(blend, backend, tmp_path):
    code, _, err = run(blend, "stylize", "--scene", "Second", "--output", tmp_path / "job", **backend("good"))
    assert code == 3
    assert "camera" in err


@pytest.mark.slow
@pytest.mark.once
def test_missing_files_and_files_of_other_programs(tmp_path):
    assert run(tmp_path / "none.blend", "stylize")[0] == 2
    (tmp_path / "text.blend").write_text("text")
    code, _, err = run(tmp_path / "text.blend", "stylize")
    assert code == 2
    assert "cannot be opened" in err


def test_help_lists_every_option():
    code, out, _ = run("stylize", "--help")
    assert code == 0
    options = ("--frames RANGE", "--only RANGE", "--keep-existing", "--negative-prompt")
    for word in (*options, "exit status:", "130 cancelled"):
        assert word in out
    assert run("--help")[0] == 0
    assert run()[0] == 2


def test_only_what_was_given_reaches_the_operator():
    given = make_parser("p").parse_args(["stylize", "--color", "in", "--steps", "5", "--save", "x.blend", "--json"])
    assert operator_arguments(given) == {"color_folder": "in", "steps": 5}
    given = make_parser("p").parse_args(["stylize", "--control", "none", "--lora", "./none"])
    loras = SETTINGS["loras"].to_property([{"path": "./none", "weight": 1.0}])
    assert operator_arguments(given) == {"controls": "", "loras": loras}
