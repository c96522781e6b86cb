"""An export killed at every file operation: frames that were finished stay, and the next export completes the job."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import bpy
import pytest
from kill_points.children import Children

from . import part_scenarios as scenarios

pytestmark = [
    pytest.mark.kill,
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix" or bool(bpy.app.binary_path), reason="the processes need the bpy wheel"),
    pytest.mark.skipif(bpy.app.version < (5, 0), reason="the export's file operations are alike in all versions"),
]


def test_an_export_loses_at_most_the_frame_in_flight(tmp_path: Path) -> None:
    children = Children(without=Path(bpy.utils.resource_path("LOCAL")))
    fresh, whole = tmp_path / "fresh", tmp_path / "whole"
    fresh.mkdir()
    whole.mkdir()
    scenarios.export_whole(whole)
    expected = job_file(whole)
    for how, folder in children.kill_everywhere(scenarios.export_whole, fresh, tmp_path / "work"):
        done = finished(folder)
        scenarios.export_whole(folder)  # here, as each process more would load Blender first
        assert done.items() <= finished(folder).items(), f"{how}: a finished picture was made again"
        assert len(finished(folder)) == 2 * scenarios.FRAMES, how
        assert job_file(folder) == expected, how
        assert not [path for path in (folder / "job").rglob("*") if path.suffix in (".part", ".tmp")], how


def finished(folder: Path) -> dict[str, int]:
    """When each picture was written that has a record, in nanoseconds."""
    job = folder / "job"
    pictures = [*job.glob("color/[0-9]*.png"), *job.glob("passes/[0-9]*.exr")]
    return {
        str(path.relative_to(job)): path.stat().st_mtime_ns
        for path in pictures
        if (job / "records" / path.parent.name / f"{path.stem}.json").is_file()
    }


def job_file(folder: Path) -> Any:
    return json.loads((folder / "job" / "job.json").read_text())
