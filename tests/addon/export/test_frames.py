"""Which frames a job holds, what its vectors span, and where the picture is cut."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest

from .export_scenes import add_camera, add_mesh, key
from .exr_passes import read_passes

PIXELS_PER_UNIT = 8.0


@pytest.fixture
def cube(scene: bpy.types.Scene) -> bpy.types.Object:
    """A cube before an orthographic camera: 8 x 8 units on 64 x 64 pixels."""
    scene.camera.data.type = "ORTHO"
    scene.camera.data.ortho_scale = 8.0
    return add_mesh(scene, "cube", "Cube", size=3)


def vectors(folder: Path, frame: int) -> np.ndarray:
    """The cube's one vector, (4,)."""
    passes = read_passes(folder / "job" / "passes" / f"{frame:04d}.exr")
    found = passes.vector[passes.where("Cube")]
    assert np.ptp(found, axis=0).max() < 2e-3
    return found.mean(axis=0)


def read_job(folder: Path) -> dict:
    return json.loads((folder / "job" / "job.json").read_text())


@pytest.fixture
def by_handler(cube: bpy.types.Object) -> Iterator[None]:
    """Another add-on, which moves the cube by a handler of its own."""

    def handler(scene: bpy.types.Scene, _: object = None) -> None:
        bpy.data.objects["Cube"].location.x = 0.01 * scene.frame_current**2

    bpy.app.handlers.frame_change_pre.append(handler)
    yield
    bpy.app.handlers.frame_change_pre.remove(handler)


def by_keys(cube: bpy.types.Object) -> None:
    key(cube, "location", {frame: (0.01 * frame**2, 0, 0) for frame in range(-3, 14)})


def by_driver_of_time(cube: bpy.types.Object) -> None:
    cube.driver_add("location", 0).driver.expression = "0.01 * frame ** 2"


def by_driver_of_the_scene_s_frame(cube: bpy.types.Object) -> None:
    driver = cube.driver_add("location", 0).driver
    variable = driver.variables.new()
    variable.name = "now"
    variable.targets[0].id_type = "SCENE"
    variable.targets[0].id = bpy.context.scene
    variable.targets[0].data_path = "frame_current"
    driver.expression = "0.01 * now ** 2"


@pytest.mark.parametrize("step", [1, 4])
@pytest.mark.parametrize("animate", [by_keys, by_driver_of_time, by_driver_of_the_scene_s_frame, None])
def test_vectors_span_the_step(
    cube: bpy.types.Object,
    export: Callable,
    tmp_path: Path,
    step: int,
    animate: Callable | None,
    request: pytest.FixtureRequest,
) -> None:
    if animate is None:
        request.getfixturevalue("by_handler")
    else:
        animate(cube)
    export(1, 9, frame_step=step)
    job = read_job(tmp_path)
    assert [entry["frame"] for entry in job["frames"]] == list(range(1, 10, step))
    assert (job["scene"]["frame_start"], job["scene"]["frame_end"], job["scene"]["frame_step"]) == (1, 9, step)

    def x(frame: int) -> float:
        return 0.01 * frame**2 * PIXELS_PER_UNIT

    for frame in (1, 5):
        before, after = x(frame - step) - x(frame), x(frame) - x(frame + step)
        np.testing.assert_allclose(vectors(tmp_path, frame), [before, 0, after, 0], atol=2e-3)
        objects = job["frames"][(frame - 1) // step]["objects"]
        assert objects["Cube"][0][3] == pytest.approx(0.01 * frame**2, abs=1e-6)


def test_time_remapping(scene: bpy.types.Scene, cube: bpy.types.Object, export: Callable, tmp_path: Path) -> None:
    """Slow motion: the scene's time runs at half the frames' speed."""
    by_driver_of_time(cube)
    scene.render.frame_map_old, scene.render.frame_map_new = 100, 200
    export(4, 8, frame_step=2)
    x = [0.01 * (frame / 2) ** 2 * PIXELS_PER_UNIT for frame in (4, 6, 8)]
    np.testing.assert_allclose(vectors(tmp_path, 6), [x[0] - x[1], 0, x[1] - x[2], 0], atol=2e-3)


def test_negative_frames(cube: bpy.types.Object, export: Callable, tmp_path: Path) -> None:
    by_keys(cube)
    progress = export(-2, 1)
    assert [(item.frame, item.frames_done, item.frames_total) for item in progress] == [
        (-2, 1, 4),
        (-1, 2, 4),
        (0, 3, 4),
        (1, 4, 4),
    ]
    names = ["-0001", "-0002", "0000", "0001"]
    for folder, suffix in (("color", ".png"), ("passes", ".exr")):
        assert sorted(path.name for path in (tmp_path / "job" / folder).iterdir()) == [n + suffix for n in names]
    assert {path.name for path in (tmp_path / "job").iterdir()} == {
        ".leases",
        ".lock",
        "color",
        "job.json",
        "passes",
        "records",
    }
    assert not list((tmp_path / "job" / ".leases").iterdir())


def test_cut_between_cameras(scene: bpy.types.Scene, cube: bpy.types.Object, export: Callable, tmp_path: Path) -> None:
    first, second = scene.camera, add_camera(scene, "Second")
    second.location.x = 1.0
    for frame, camera in ((1, first), (3, second), (5, first)):
        scene.timeline_markers.new(camera.name, frame=frame).camera = camera
    export(1, 6)
    frames = read_job(tmp_path)["frames"]
    assert [entry["camera"]["name"] for entry in frames] == ["Camera", "Camera", "Second", "Second", "Camera", "Camera"]
    assert [entry["cut"] for entry in frames] == [False, False, True, False, True, False]
    assert frames[2]["camera"]["world"][0][3] == 1.0
    assert scene.camera == first


def test_lens_of_another_type_is_a_cut(
    scene: bpy.types.Scene, cube: bpy.types.Object, export: Callable, tmp_path: Path
) -> None:
    key(scene.camera.data, "type", {1: "PERSP", 2: "ORTHO"})
    export(1, 2)
    frames = read_job(tmp_path)["frames"]
    assert [(entry["camera"]["type"], entry["cut"]) for entry in frames] == [("PERSP", False), ("ORTHO", True)]


def test_scene_block(scene: bpy.types.Scene, cube: bpy.types.Object, export: Callable, tmp_path: Path) -> None:
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 101, 75, 50
    scene.render.fps, scene.render.fps_base = 30, 1.001
    scene.view_settings.view_transform, scene.view_settings.look = "Filmic", "High Contrast"
    scene.render.use_border, scene.render.border_max_x, scene.render.use_crop_to_border = True, 0.5, True
    export(7, 7)
    block = read_job(tmp_path)["scene"]
    assert block["fps"] == pytest.approx(29.97002997)
    block.pop("fps")
    assert block == {
        "name": "Scene",
        "frame_start": 7,
        "frame_end": 7,
        "frame_step": 1,
        "width": 50,
        "height": 37,
        "display": "sRGB",
        "view_transform": "Filmic",
        "look": "High Contrast",
        "transparent": False,
        "averaged_vectors": False,
    }
    assert read_passes(tmp_path / "job" / "passes" / "0007.exr").depth.shape == (37, 50)
