"""The exported motion of rigid scenes against analytic motion: 256 pixels, away from silhouettes."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np
import pytest

from warpnoise_addon.export import ExportOptions, export_job

from .analytic_motion import Moment, analytic_flow, away_from_silhouettes
from .export_scenes import add_camera, add_mesh, degrees, empty_scene, key
from .exr_passes import Passes, read_passes

MEDIAN_PX, PERCENTILE_99_PX = 0.002, 0.01
FRAMES = (1, 2, 3)


def build(width: int = 256, height: int = 256, camera_moves: bool = True) -> tuple[bpy.types.Scene, bpy.types.Object]:
    """A ground, a turning cube and a passing ball with background above, and a camera that moves and turns."""
    scene = empty_scene(width, height)
    add_mesh(scene, "plane", "Ground", size=20)
    cube = add_mesh(scene, "cube", "Cube", size=1.6)
    cube.location = (-1.2, 0.5, 1.0)
    key(cube, "rotation_euler", {1: degrees(0, 0, 10), 3: degrees(6, 4, 22)})
    ball = add_mesh(scene, "uv_sphere", "Ball", radius=0.8, segments=32, ring_count=16)
    key(ball, "location", {1: (0.6, -1.0, 0.9), 3: (1.1, -1.3, 1.0)})
    camera = add_camera(scene)
    camera.location, camera.rotation_euler = (0.0, -8.0, 2.6), degrees(78, 0, 0)
    camera.data.lens = 40
    if camera_moves:
        key(camera, "location", {1: (0.0, -8.0, 2.6), 3: (0.3, -7.7, 2.7)})
        key(camera, "rotation_euler", {1: degrees(78, 0, 0), 3: degrees(77, 0.5, 2)})
    return scene, camera


def perspective() -> bpy.types.Scene:
    return build()[0]


def perspective_still() -> bpy.types.Scene:
    return build(camera_moves=False)[0]


def shifted() -> bpy.types.Scene:
    scene, camera = build(256, 192)
    camera.data.shift_x, camera.data.shift_y = 0.15, -0.08
    return scene


def sensor_vertical() -> bpy.types.Scene:
    scene, camera = build(256, 160)
    camera.data.sensor_fit, camera.data.sensor_height = "VERTICAL", 20.0
    return scene


def sensor_horizontal_upright() -> bpy.types.Scene:
    scene, camera = build(192, 256)
    camera.data.sensor_fit = "HORIZONTAL"
    camera.data.lens = 30
    return scene


def sensor_auto_upright() -> bpy.types.Scene:
    scene, camera = build(192, 256)
    camera.data.shift_y = 0.05
    return scene


def pixel_aspect_and_percentage() -> bpy.types.Scene:
    scene, _ = build(512, 384)
    scene.render.resolution_percentage = 50
    scene.render.pixel_aspect_x, scene.render.pixel_aspect_y = 1.0, 1.4
    return scene


def scaled_camera() -> bpy.types.Scene:
    scene, camera = build()
    camera.scale = (2.0, 2.0, 2.0)
    return scene


def orthographic_still() -> bpy.types.Scene:
    scene, camera = build(256, 192, camera_moves=False)
    camera.data.type, camera.data.ortho_scale = "ORTHO", 7.0
    camera.data.shift_x = 0.1
    return scene


def orthographic() -> bpy.types.Scene:
    scene, camera = build()
    camera.data.type, camera.data.ortho_scale = "ORTHO", 7.0
    return scene


def zoom() -> bpy.types.Scene:
    scene, camera = build()
    key(camera.data, "lens", {1: 38.0, 3: 44.0})
    return scene


def orthographic_zoom() -> bpy.types.Scene:
    scene, camera = build(camera_moves=False)
    camera.data.type = "ORTHO"
    key(camera.data, "ortho_scale", {1: 7.0, 3: 6.5})
    return scene


def moving_shift() -> bpy.types.Scene:
    scene, camera = build()
    key(camera.data, "shift_x", {1: 0.0, 3: 0.04})
    return scene


# Where the lens stays, the vectors of the file are exact by themselves. An orthographic camera that moves, and a lens
# that changes, are put right by the backend (docs/architecture.md).
IN_THE_FILE = [
    perspective,
    perspective_still,
    shifted,
    sensor_vertical,
    sensor_horizontal_upright,
    sensor_auto_upright,
    pixel_aspect_and_percentage,
    scaled_camera,
    orthographic_still,
]
THROUGH_THE_BACKEND = [
    perspective,
    shifted,
    pixel_aspect_and_percentage,
    orthographic_still,
    orthographic,
    zoom,
    orthographic_zoom,
    moving_shift,
]


def name_of(case: Callable[[], object]) -> str:
    return case.__name__


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Callable[[], bpy.types.Scene]], tuple]:
    """Exports a case once: (job folder, moments by frame, passes by frame)."""
    done: dict[str, tuple[Path, dict[int, Moment], dict[int, Passes]]] = {}

    def run(case: Callable[[], bpy.types.Scene]) -> tuple[Path, dict[int, Moment], dict[int, Passes]]:
        name = name_of(case)
        if name not in done:
            scene = case()
            folder = tmp_path_factory.mktemp(name)
            for _ in export_job(bpy.context, ExportOptions(folder, FRAMES[0], FRAMES[-1])):
                pass
            moments = {frame: Moment.of(scene, frame) for frame in FRAMES}
            done[name] = folder, moments, {f: read_passes(folder / "passes" / f"{f:04d}.exr") for f in FRAMES}
        return done[name]

    return run


def expected_flow(moments: dict[int, Moment], passes: Passes, here: int, there: int) -> np.ndarray:
    shown = {name: passes.where(name) for name in passes.shown()}
    return analytic_flow(moments[here], moments[there], passes.depth.astype(np.float64), shown)


def check(flow: np.ndarray, expected: np.ndarray, where: np.ndarray) -> None:
    assert where.mean() > 0.2, "hardly anything is compared"
    error = np.hypot(*np.moveaxis(flow - expected, -1, 0))[where]
    assert np.isfinite(error).all(), f"{np.isnan(error).mean():.1%} of the pixels have no vector"
    assert np.median(error) <= MEDIAN_PX
    assert np.percentile(error, 99) <= PERCENTILE_99_PX


@pytest.mark.parametrize("case", IN_THE_FILE, ids=name_of)
def test_vectors_in_the_file(case: Callable[[], bpy.types.Scene], exported: Callable) -> None:
    _, moments, every = exported(case)
    passes = every[2]
    seen = passes.surface != 0
    where = away_from_silhouettes(passes.surface) & seen
    assert passes.shown() == {"Ground", "Cube", "Ball"}
    up = np.array([1.0, -1.0])  # the file's y is up
    check(passes.vector[..., :2] * up, expected_flow(moments, passes, 2, 1), where)
    check(-passes.vector[..., 2:] * up, expected_flow(moments, passes, 2, 3), where)
    assert not seen.all()
    assert np.all(passes.depth[~seen] >= 1e9)


@pytest.mark.parametrize("case", [perspective, shifted, sensor_vertical, orthographic, zoom], ids=name_of)
def test_matrices_in_job_json(case: Callable[[], bpy.types.Scene], exported: Callable) -> None:
    folder, moments, every = exported(case)
    height, width = every[1].depth.shape
    job = json.loads((folder / "job.json").read_text())
    objects: dict[str, list] = {}
    points = np.random.default_rng(0).uniform((-2, -2, -12), (2, 2, -4), (50, 3))
    for entry in job["frames"]:
        moment = moments[entry["frame"]]
        objects |= entry["objects"]
        for name in ("Ground", "Cube", "Ball"):
            np.testing.assert_allclose(objects[name], moment.objects[name], atol=1e-6)
        np.testing.assert_allclose(entry["camera"]["world"], moment.camera, atol=1e-6)
        clip = np.concatenate([points, np.ones((50, 1))], axis=1) @ np.array(entry["camera"]["projection"]).T
        ndc = clip[:, :2] / clip[:, 3:]
        pixels = np.stack([(ndc[:, 0] + 1) / 2 * width - 0.5, (1 - ndc[:, 1]) / 2 * height - 0.5], axis=-1)
        np.testing.assert_allclose(pixels, moment.lens.pixels(points), atol=2e-4)
    assert job["frames"][1]["objects"].keys() == {"Cube", "Ball"}, "only what moved is told again"


MOTIONS = """
import sys
import numpy as np
from pathlib import Path
from warpnoise.job import Shot
from warpnoise.motion import motions
for folder in map(Path, sys.argv[1:]):
    for frame, motion in motions(Shot.open(folder)):
        if motion is not None:
            np.savez(folder / f"motion-{frame}.npz", forward=motion.forward.numpy(), backward=motion.backward.numpy())
"""


@pytest.fixture(scope="module")
def motions(exported: Callable) -> None:
    """Lets the backend make the motions of all cases, in one process."""
    python = os.environ.get("WARPNOISE_PYTHON")
    if not python:
        pytest.skip("WARPNOISE_PYTHON names no Python that has the backend")
    folders = [str(exported(case)[0]) for case in THROUGH_THE_BACKEND]
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    subprocess.run([python, "-c", MOTIONS, *folders], check=True, timeout=300, env=environment)


@pytest.mark.slow
@pytest.mark.parametrize("case", THROUGH_THE_BACKEND, ids=name_of)
def test_motion_through_the_backend(case: Callable[[], bpy.types.Scene], exported: Callable, motions: None) -> None:
    """Background included."""
    folder, moments, every = exported(case)
    for old, new in ((1, 2), (2, 3)):
        motion = np.load(folder / f"motion-{new}.npz")
        for flow, here, there in ((motion["forward"], old, new), (motion["backward"], new, old)):
            passes = every[here]
            check(flow, expected_flow(moments, passes, here, there), away_from_silhouettes(passes.surface))
