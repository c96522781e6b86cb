"""What `farm/` holds: the script, run in three processes at once, and the job type for Flamenco, compiled."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import bpy
import pytest

import warpnoise_addon
from warpnoise_addon.arguments import make_parser

from .result_files import frames_of, result_of
from .toy_model import PYTHON, write_toy_model

ROOT = Path(warpnoise_addon.__file__).parents[1]
SCRIPT, JOB_TYPE = ROOT / "farm" / "stylize_chunk.sh", ROOT / "farm" / "warpnoise_stylize.js"
NODE = shutil.which("node")


def environment(**more: str) -> dict[str, str]:
    return os.environ | {"BPY_PYTHON": sys.executable, "OMP_NUM_THREADS": "1", **more}


def run(*arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment(**more), capture_output=True, text=True, timeout=300)


@pytest.mark.slow
@pytest.mark.skipif(not PYTHON, reason="WARPNOISE_PYTHON is not set")
@pytest.mark.skipif(os.name != "posix", reason="a shell script")
@pytest.mark.skipif(bool(bpy.app.binary_path), reason="the processes that it starts need the bpy wheel")
def test_three_machines_on_one_folder_make_what_one_makes(tmp_path):
    bpy.ops.wm.read_factory_settings(use_empty=False)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 1
    scene.cycles.use_denoising = False
    scene.render.resolution_x = scene.render.resolution_y = 32
    cube = bpy.data.objects["Cube"]
    for frame in (1, 5):
        cube.location.x = frame / 4
        cube.keyframe_insert("location", frame=frame)
    blend, job, saved = tmp_path / "scene.blend", tmp_path / "job", tmp_path / "out.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(blend))
    settings = ["--model", write_toy_model(tmp_path / "model"), "--steps", 4]
    arguments = [blend, "1-5", job, *settings]

    machines = [
        subprocess.Popen(["sh", str(SCRIPT), f"{number}/3", *map(str, arguments)], cwd=ROOT, env=environment())
        for number in (1, 2, 3)
    ]
    try:
        assert [machine.wait(300) for machine in machines] == [0, 0, 0]
    finally:
        for machine in machines:
            machine.kill()
            machine.wait()
    assert (result_of(job) / "movie.mp4").is_file()
    times = {path: path.stat().st_mtime_ns for path in job.rglob("*.[pe][nx][gr]")}
    assert len(times) == 15
    done = run("last", *arguments, "--save", saved)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path: path.stat().st_mtime_ns for path in times} == times, "nothing is made again"
    bpy.ops.wm.open_mainfile(filepath=str(saved))
    assert [group for group in bpy.data.node_groups if "warpnoise_job" in group]

    alone = run("1/1", blend, "1-5", tmp_path / "alone", *settings)
    assert alone.returncode == 0, alone.stdout + alone.stderr
    for frame in range(1, 6):
        name = f"{frame:04d}.png"
        assert (frames_of(job) / name).read_bytes() == (frames_of(tmp_path / "alone") / name).read_bytes()
    assert (job / "job.json").read_bytes() == (tmp_path / "alone" / "job.json").read_bytes()


@pytest.mark.skipif(os.name != "posix", reason="a shell script")
@pytest.mark.parametrize(("status", "tries"), [(0, 1), (2, 1), (3, 3), (6, 3), (130, 1)])
def test_what_is_tried_again(tmp_path, status, tries):
    program = tmp_path / "python"
    program.write_text(f'#!/bin/sh\necho "$@" >> "{tmp_path}/log"\nexit {status}\n')
    program.chmod(0o755)
    done = run("2/3", "a scene.blend", "1-9", tmp_path / "a job", "--seed", 3, BPY_PYTHON=str(program))
    assert done.returncode == status
    said = f"-m warpnoise_addon a scene.blend stylize --frames=1-9 --output {tmp_path}/a job "
    said += "--chunk 2/3 --coherence off --seed 3"
    assert (tmp_path / "log").read_text().splitlines() == [said] * tries
    assert run("2/3").returncode == 2


# What Flamenco gives a job type: author, path, and a job with settings.
FLAMENCO = """
const tasks = [];
const author = {
  Task: (name, type) => ({name, type, commands: [], dependencies: [],
    addCommand(command) { this.commands.push(command); }, addDependency(task) { this.dependencies.push(task.name); }}),
  Command: (name, parameters) => ({name, parameters}),
};
const path = {join: (...parts) => parts.join("/"), stem: (name) => name.split("/").pop().replace(/[.][^.]*$/, "")};
"""


def compiled(settings: dict) -> list[dict]:
    text = FLAMENCO + JOB_TYPE.read_text(encoding="utf-8").replace('"use strict";', "")
    text += f"compileJob({{settings: {json.dumps(settings)}, addTask: (task) => tasks.push(task)}});"
    text += "console.log(JSON.stringify({tasks, type: JOB_TYPE}));"
    done = subprocess.run([NODE, "-e", text], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert {setting["key"] for setting in answer["type"]["settings"]} == set(settings)
    return answer["tasks"]


@pytest.mark.skipif(NODE is None, reason="node is not there")
def test_the_flamenco_job_type():
    tasks = compiled(
        {
            "start": -3,
            "end": 20,
            "step": 2,
            "pass_chunk": 5,
            "stylize_chunk": 6,
            "job_folder": "/shared/job",
            "more_arguments": "--strength 0.6 ",
            "backend": "{warpnoise}",
            "blendfile": "/shared/shot.blend",
            "scene": "My Scene",
        }
    )
    passes, stylize = [f"passes {k}/3" for k in (1, 2, 3)], [f"stylize {k}/2" for k in (1, 2)]
    assert {task["name"]: task["dependencies"] for task in tasks} == {
        **{name: [] for name in passes},
        "key frames": passes,
        **{name: ["key frames"] for name in stylize},
        "accumulate": stylize,
        "movie": ["accumulate"],
        "compositor": ["accumulate"],
    }
    given, backend = {}, {}
    for task in tasks:
        (command,) = task["commands"]
        parameters = command["parameters"]
        if command["name"] == "exec":
            assert parameters["exe"] == "{warpnoise}"
            backend[task["name"]] = parameters["args"]
            continue
        assert parameters["blendfile"] == "/shared/shot.blend"
        flag, name, *arguments = parameters["args"]
        assert (flag, name) == ("--command", "warpnoise")
        given[task["name"]] = vars(make_parser("warpnoise").parse_args(arguments))
    common = {"scene": "My Scene", "output": "/shared/job"}
    export = {**common, "action": "export", "frames": "-3-20:2", "strength": 0.6}
    assert [given[name] for name in passes] == [{**export, "chunk": f"{number}/3"} for number in (1, 2, 3)]
    saved = {"action": "compositor", "save": "/shared/job/shot-stylized.blend"}
    assert {name: value for name, value in given["compositor"].items() if value is not None} == {**common, **saved}
    assert backend == {
        "key frames": ["keyframes", "/shared/job"],
        **{f"stylize {k}/2": ["stylize", "/shared/job", "--chunk", f"{k}/2", "--no-movie"] for k in (1, 2)},
        "accumulate": ["accumulate", "/shared/job"],
        "movie": ["movie", "/shared/job"],
    }


@pytest.mark.skipif(NODE is None, reason="node is not there")
def test_flamenco_rejects_an_empty_range():
    texts = ("job_folder", "more_arguments", "backend", "blendfile", "scene")
    with pytest.raises(AssertionError, match="the frame range is empty: 5 to 4"):
        compiled({"start": 5, "end": 4, "step": 1, "pass_chunk": 5, "stylize_chunk": 5} | dict.fromkeys(texts, ""))
