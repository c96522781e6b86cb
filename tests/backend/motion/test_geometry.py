"""Normals out of depth, against those of a ray-traced scene and of what real Blenders rendered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from warpnoise.job import Shot
from warpnoise.job.schema import as_array
from warpnoise.motion import surface_geometry
from warpnoise.motion.frames import Frame, read_frame

from .. import synthetic
from ..synthetic import Scene

JOBS = Path(__file__).parents[2] / "fixtures" / "passes"


def never(message: str) -> None:
    raise AssertionError(message)


def in_the_world(frame: Frame) -> npt.NDArray[np.float64]:
    """The normals, (h, w, 3)."""
    assert frame.camera is not None
    return frame.geometry()[:3].transpose(1, 2, 0) @ as_array(frame.camera.world)[:3, :3].T


@pytest.mark.parametrize(
    "change",
    [{}, {"ortho": True}, {"shift": 0.1, "zoom": 0.2}, {"turn": 1.0}],
    ids=["plain", "ortho", "lens", "turned"],
)
def test_normals_of_floor_and_ball(tmp_path: Path, change: dict[str, Any]) -> None:
    scene = Scene(96, 80, **change)
    job = synthetic.make_job(tmp_path / "job", frames=2, scene=scene)
    frame = read_frame(job, list(job.states())[1], never)
    points, _, names = scene.hits(1)
    found = in_the_world(frame)
    floor, ball = names == "Floor", names == "Ball"
    assert floor.sum() > 500 and ball.sum() > 200
    wrong = np.abs(found[floor] - [0, 0, 1]).max(-1) > 2e-3
    assert wrong.mean() < 0.003, "only where neither of two neighbours shows the floor"
    radius = np.linalg.norm(points[ball], axis=-1, keepdims=True)
    true = points[ball] / radius @ scene.objects(1)["Ball"][:3, :3].T
    degrees = np.degrees(np.arccos(np.clip((found[ball] * true).sum(-1), -1, 1)))
    assert np.median(degrees) < 4 and np.quantile(degrees, 0.9) < 15, "half a pixel beside, and steep at the rim"


def test_what_is_background(tmp_path: Path) -> None:
    scene = Scene(48, 40)
    job = synthetic.make_job(tmp_path / "job", frames=1, scene=scene)
    geometry = read_frame(job, next(iter(job.states())), never).geometry()
    away = scene.hits(0)[2] == ""
    assert geometry.shape == (4, 40, 48) and geometry.dtype == np.float32
    assert away.any() and (geometry[:3, away] == 0).all() and (geometry[3] == np.where(away, -1, 1)).all()
    np.testing.assert_allclose(np.linalg.norm(geometry[:3, ~away], axis=0), 1, atol=1e-5)


@pytest.mark.parametrize("blender", ["4.2", "4.3", "4.5", "5.0", "5.2"])
def test_normals_of_what_blender_rendered(blender: str) -> None:
    """The ground's are upright, the cube's at right angles to each other."""
    job = Shot.open(JOBS / f"blender-{blender}", needs=("passes",))
    for state in job.states():
        frame = read_frame(job, state, never)
        normals = in_the_world(frame)
        ground, cube = (frame.surface == frame.manifest[name] for name in ("Ground", "Cube"))
        assert np.median(np.abs(normals[ground] - [0, 0, 1]).max(-1)) < 1e-3
        sides = normals[cube] @ frame.objects["Cube"][:3, :3]  # in the cube's own space
        assert np.median(np.sort(np.abs(sides), axis=-1)[:, 1]) < 1e-3, "two of three components are 0"


def test_without_a_camera_only_the_surfaces_are_known() -> None:
    depth = np.array([[0.0, 0.2], [0.1, 0.3]])
    geometry = surface_geometry(depth, depth == 0, None)
    assert (geometry[:3] == 0).all() and geometry[3].tolist() == [[-1, 1], [1, 1]]


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (4, 1)])
def test_pictures_of_one_row_or_column(size: tuple[int, int]) -> None:
    """No slope is known there: such a surface may face anywhere, but nothing is not a number."""
    depth = np.full(size, 0.25)
    geometry = surface_geometry(depth, np.zeros(size, bool), Scene(*size[::-1]).camera(0))
    assert geometry.shape == (4, *size) and np.isfinite(geometry).all()


def test_depth_that_is_not_a_number_spoils_only_itself() -> None:
    scene = Scene(48, 40)
    _, distance, names = scene.hits(0)
    depth, away = 1 / distance, names == ""
    whole = surface_geometry(depth, away, scene.camera(0))
    y, x = np.argwhere(names == "Floor")[-120]
    depth[y, x] = np.nan
    found = surface_geometry(depth, away, scene.camera(0))
    assert np.isfinite(found).all() and (found[:3, y, x] == 0).all()
    others = names == "Floor"
    others[y, x] = False
    np.testing.assert_allclose(found[:, others], whole[:, others], atol=1e-2)
