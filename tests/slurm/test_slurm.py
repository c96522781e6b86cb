"""`farm/slurm/submit.sh` on two virtual nodes, one of which dies while it stylizes: nothing lost, the same bits."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from backend.tiny_models import write_styled_model
from warpnoise.job import Shot

from .cluster import Cluster, missing

ROOT = Path(__file__).parents[2]
BPY = os.environ.get("WARPNOISE_BPY_PYTHON", "")
FRAMES = 6
SETTINGS = """\
import sys, bpy, warpnoise_addon
blend, model = sys.argv[1:]
bpy.ops.wm.open_mainfile(filepath=blend)
warpnoise_addon.register()
settings = bpy.context.scene.warpnoise
settings.model, settings.style, settings.use_steps, settings.steps = model, "clay", True, 120
settings.coherence = "off"  # each task has frames
bpy.ops.wm.save_as_mainfile(filepath=blend)
"""
pytestmark = [
    pytest.mark.skipif(bool(missing()), reason=missing() or "Slurm is there"),
    pytest.mark.skipif(not BPY, reason="WARPNOISE_BPY_PYTHON names no Python with the bpy wheel"),
]


def program(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def run(*command: object, **environment: str) -> str:
    done = subprocess.run(
        list(map(str, command)), env=os.environ | environment, capture_output=True, text=True, timeout=600, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    return done.stdout


def test_a_node_that_dies_loses_nothing(tmp_path: Path) -> None:
    blend, job, saved, alone = (tmp_path / name for name in ("scene.blend", "job", "out.blend", "alone"))
    run(BPY, ROOT / "backend/warpnoise/demo/scene.py", blend, "--frames", FRAMES, "--size", 48)
    run(BPY, "-c", SETTINGS, blend, write_styled_model(tmp_path / "model"), PYTHONPATH=str(ROOT))
    start = f'file=$2; shift 4; cd "{ROOT}"; exec "{BPY}" -m warpnoise_addon "$file" "$@"'
    environment = {
        "BLENDER": program(tmp_path / "blender", start),
        # the bits of a model's output depend on the number of threads
        "WARPNOISE": program(
            tmp_path / "warpnoise", f'export OMP_NUM_THREADS=1; exec "{sys.executable}" -m warpnoise "$@"'
        ),
        "PASS_TASKS": "3",
        "STYLIZE_TASKS": "3",
        "SBATCH_PASSES": "-c 1",
        "SBATCH_STYLIZE": "-c 1",
    }
    (tmp_path / "slurm").mkdir()
    with Cluster(tmp_path / "slurm") as cluster:
        script = ROOT / "farm" / "slurm" / "submit.sh"
        submitted = run(script, blend, f"1-{FRAMES}", job, saved, **cluster.environment(**environment))
        assert [line.split()[0] for line in submitted.splitlines()] == [
            *("passes", "keys", "stylize", "accumulate", "movie", "compositor")
        ]

        def stylizing() -> list[str]:
            """The nodes whose task has begun to stylize."""
            if not list(job.glob("results/*/leases/*_*.lock")):
                return []
            return [
                each["NodeList"]
                for each in cluster.jobs()
                if (each["JobName"], each["JobState"]) == ("warpnoise-stylize", "RUNNING")
            ]

        cluster.until(lambda: bool(stylizing()), 400, "a task stylizes")
        time.sleep(0.5)
        victim = stylizing()[0]
        cluster.kill(victim)
        cluster.until(lambda: cluster.states()[victim] == "DOWN", 60, "the node is seen to be down")
        cluster.start_requeued()  # on the other node
        states = ("COMPLETED", "FAILED", "CANCELLED", "NODE_FAIL", "TIMEOUT")
        cluster.until(lambda: all(each["JobState"] in states for each in cluster.jobs()), 600, "all tasks are over")
        jobs = cluster.jobs()
    logs = "\n".join(f"{log.name}: {log.read_text()[-1500:]}" for log in sorted((job / "slurm").iterdir()))
    assert {each["JobState"] for each in jobs} == {"COMPLETED"}, f"{jobs}\n{logs}"
    assert sum(int(each["Restarts"]) for each in jobs if each["JobName"] == "warpnoise-stylize") >= 1, jobs

    run(environment["BLENDER"], "--background", blend, "--command", "warpnoise", "export", "--output", alone)
    run(environment["WARPNOISE"], "stylize", alone)
    one, many = Shot.open(alone).current(), Shot.open(job).current()
    assert one is not None and many is not None
    for frame in range(1, FRAMES + 1):
        assert many.frame(frame).read_bytes() == one.frame(frame).read_bytes(), frame
    assert many.movie.read_bytes() == one.movie.read_bytes()
    assert saved.is_file()
    assert not list(job.rglob("*.tmp"))
