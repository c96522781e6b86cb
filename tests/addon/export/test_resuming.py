"""What an interrupted export leaves, and how the next one goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import bpy
import pytest

from warpnoise_addon.export import ExportOptions, export_job
from warpnoise_addon.settings import make_settings

from .export_scenes import add_mesh, key


@pytest.fixture
def cube(scene: bpy.types.Scene) -> bpy.types.Object:
    cube = add_mesh(scene, "cube", "Cube", size=3)
    key(cube, "location", {1: (0, 0, 0), 5: (1, 0, 0)})
    add_mesh(scene, "plane", "Plane")
    return cube


@pytest.fixture
def interrupted(cube: bpy.types.Object, tmp_path: Path) -> Path:
    """A job of five frames that was cancelled after the third."""
    export = export_job(bpy.context, ExportOptions(tmp_path / "job", 1, 5))
    for _ in range(3):
        next(export)
    export.close()
    return tmp_path / "job"


def written(job: Path) -> dict[str, int]:
    """When each picture was written, in nanoseconds."""
    return {path.name: path.stat().st_mtime_ns for path in sorted((job / "passes").iterdir())}


def test_an_interrupted_export(interrupted: Path) -> None:
    assert list(written(interrupted)) == ["0001.exr", "0002.exr", "0003.exr"]
    assert {path.name for path in interrupted.iterdir()} == {".leases", ".lock", "color", "passes", "records"}
    assert not list((interrupted / ".leases").iterdir())


def test_going_on(interrupted: Path, export: Callable, tmp_path: Path) -> None:
    before = written(interrupted)
    progress = export(1, 5, keep_existing=True)
    assert [item.existed for item in progress] == [True, True, True, False, False]
    assert [item.frames_done for item in progress] == [1, 2, 3, 4, 5]
    assert before.items() <= written(interrupted).items()
    job = json.loads((interrupted / "job.json").read_text())
    list(export_job(bpy.context, ExportOptions(tmp_path / "whole", 1, 5)))
    assert job == json.loads((tmp_path / "whole" / "job.json").read_text())


def test_without_being_asked_nothing_is_kept(interrupted: Path, export: Callable) -> None:
    before = written(interrupted)
    assert not any(item.existed for item in export(1, 5))
    assert not before.items() & written(interrupted).items()


def test_a_finished_job_only_gets_its_new_settings(cube: bpy.types.Object, export: Callable, tmp_path: Path) -> None:
    export(1, 3)
    before, first = written(tmp_path / "job"), json.loads((tmp_path / "job" / "job.json").read_text())
    assert all(item.existed for item in export(1, 3, keep_existing=True, settings=make_settings(prompt="ink", steps=5)))
    assert written(tmp_path / "job") == before
    second = json.loads((tmp_path / "job" / "job.json").read_text())
    assert (second["settings"]["prompt"], second["settings"]["steps"]) == ("ink", 5)
    assert {**second, "settings": first["settings"]} == first


@pytest.mark.parametrize("what", ["cut off", "lost"])
@pytest.mark.parametrize("file", ["color/0002.png", "passes/0002.exr"])
def test_an_incomplete_frame(interrupted: Path, export: Callable, file: str, what: str) -> None:
    path = interrupted / file
    if what == "lost":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-20])
    assert [item.existed for item in export(1, 5, keep_existing=True)] == [True, False, True, False, False]


@pytest.mark.parametrize("content", [None, "", "nonsense", "[1, 2]", "{}"])
@pytest.mark.parametrize("kind", ["color", "passes"])
def test_an_invalid_record(interrupted: Path, export: Callable, kind: str, content: str | None) -> None:
    record = interrupted / "records" / kind / "0002.json"
    if content is None:
        record.unlink()
    else:
        record.write_text(content)
    assert [item.existed for item in export(1, 5, keep_existing=True)] == [True, False, True, False, False]


def test_another_size_range_or_view_is_another_job(scene: bpy.types.Scene, interrupted: Path, export: Callable) -> None:
    assert not any(item.existed for item in export(1, 4, keep_existing=True))
    scene.render.resolution_x = 48
    assert not any(item.existed for item in export(1, 4, keep_existing=True))
    scene.view_settings.exposure = 0.0
    scene.view_settings.view_transform = "Standard"
    assert not any(item.existed for item in export(1, 4, keep_existing=True))
    assert all(item.existed for item in export(1, 4, keep_existing=True))


def test_a_finished_job_is_unfinished_while_it_is_made_again(
    cube: bpy.types.Object, export: Callable, tmp_path: Path
) -> None:
    export(1, 3)
    again = export_job(bpy.context, ExportOptions(tmp_path / "job", 1, 3))
    next(again)
    again.close()
    assert not (tmp_path / "job" / "job.json").exists()
    assert len(written(tmp_path / "job")) == 3
