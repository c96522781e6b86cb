"""A job's motion against the analytic motion of a ray-traced scene."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from warpnoise.errors import MediaError
from warpnoise.job import Shot
from warpnoise.motion import motions
from warpnoise.noise import Motion

from .. import synthetic
from ..synthetic import HASHES, Scene

NUMBERS = {name: int(np.uint32(number).view(np.int32)) for name, number in HASHES.items()}


def never(message: str) -> None:
    raise AssertionError(message)


def all_motions(job: Shot) -> list[Motion]:
    """Those of all frames but the first, which must have none."""
    (first, nothing), *rest = motions(Shot.open(job.path), warn=never)
    assert first == job.frames[0] and nothing is None
    assert [frame for frame, _ in rest] == job.frames[1:]
    assert all(motion is not None for _, motion in rest)
    return [motion for _, motion in rest if motion is not None]


@pytest.mark.parametrize("layout", ["single", "multi"])
@pytest.mark.parametrize(
    "change", [{}, {"ortho": True}, {"turn": 0.2, "spin": 0.3}], ids=["perspective", "orthographic", "fast"]
)
def test_accuracy(tmp_path: Path, layout: str, change: dict[str, Any]) -> None:
    scene = Scene(48, 40, **change)
    for t, motion in enumerate(all_motions(synthetic.make_job(tmp_path / "job", frames=3, scene=scene, layout=layout))):
        for flow, truth in ((motion.forward, scene.truth(t, t + 1)), (motion.backward, scene.truth(t + 1, t))):
            truth = np.nan_to_num(truth)  # at infinity an orthographic camera sees no motion
            error = np.linalg.norm(flow.numpy() - truth, axis=-1)
            assert np.linalg.norm(truth, axis=-1).max() > 0.5  # there is motion to be right about
            assert error.max() < 1e-4


def test_the_background_turns_with_a_perspective_camera(tmp_path: Path) -> None:
    scene = Scene(48, 40)
    motion = all_motions(synthetic.make_job(tmp_path / "job", frames=2, scene=scene))[0]
    background = motion.surface_new.numpy() == 0
    assert background.sum() > 100
    assert np.abs(motion.backward.numpy()[background]).max() > 0.5  # where the file has zeros
    assert (motion.depth_new.numpy()[background] == 0).all()


def test_forward_and_backward_return(tmp_path: Path) -> None:
    """From a pixel of the old frame into the new one and back, where both show the same."""
    motion = all_motions(synthetic.make_job(tmp_path / "job", frames=2, scene=Scene(64, 64)))[0]
    forward, backward = motion.forward.numpy(), motion.backward.numpy()
    old, new = motion.surface_old.numpy(), motion.surface_new.numpy()
    y, x = np.mgrid[:64, :64]
    to_x, to_y = x + forward[..., 0], y + forward[..., 1]
    x0, y0 = np.floor(to_x).astype(int), np.floor(to_y).astype(int)
    inside = (x0 >= 0) & (y0 >= 0) & (x0 < 63) & (y0 < 63)
    corners = [(y0[inside] + j, x0[inside] + i) for j in (0, 1) for i in (0, 1)]
    same = np.logical_and.reduce([new[corner] == old[inside] for corner in corners])
    fx, fy = (to_x - x0)[inside], (to_y - y0)[inside]
    weights = [(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy]
    back = sum(w[:, None] * backward[corner] for w, corner in zip(weights, corners, strict=True))
    error = np.linalg.norm(back + forward[inside], axis=-1)[same]
    assert same.sum() > 2000
    assert np.quantile(error, 0.9) < 0.02  # what bilinear interpolation leaves of a smooth motion


@pytest.mark.parametrize("ortho", [False, True])
def test_transforms_carry_surface_points(tmp_path: Path, ortho: bool) -> None:
    scene = Scene(40, 40, ortho=ortho)
    motion = all_motions(synthetic.make_job(tmp_path / "job", frames=2, scene=scene))[0]
    assert set(motion.transforms) == {0, *NUMBERS.values()}  # also of what is out of the frame
    y, x = np.mgrid[:40, :40].astype(float)
    depth = motion.depth_old.numpy().astype(float)
    for name in ("Floor", "Ball"):
        shown = motion.surface_old.numpy() == NUMBERS[name]
        points = np.stack([x, y, depth, np.ones_like(x)], axis=-1)[shown]
        moved = points @ motion.transforms[NUMBERS[name]].T
        assert (moved[:, 3] > 0).all()
        flow = moved[:, :2] / moved[:, 3:] - points[:, :2]
        np.testing.assert_allclose(flow, scene.truth(0, 1)[shown], atol=1e-4)


def test_projective_depth_of_a_moved_point(tmp_path: Path) -> None:
    """T gives the new depth too: a floor point's, where the new frame shows it."""
    scene = Scene(64, 64, spin=0)
    motion = all_motions(synthetic.make_job(tmp_path / "job", frames=2, scene=scene))[0]
    shown = motion.surface_old.numpy() == NUMBERS["Floor"]
    y, x = np.nonzero(shown)
    points = np.stack([x, y, motion.depth_old.numpy()[shown], np.ones(len(x))], axis=-1)
    moved = points @ motion.transforms[NUMBERS["Floor"]].T
    moved = moved[:, :3] / moved[:, 3:]
    at_x, at_y = np.rint(moved[:, 0]).astype(int), np.rint(moved[:, 1]).astype(int)
    inside = (at_x >= 0) & (at_y >= 0) & (at_x < 64) & (at_y < 64)
    at_x, at_y, moved = at_x[inside], at_y[inside], moved[inside]
    same = motion.surface_new.numpy()[at_y, at_x] == NUMBERS["Floor"]
    got = motion.depth_new.numpy()[at_y[same], at_x[same]]
    assert same.sum() > 200
    np.testing.assert_allclose(got, moved[same, 2], rtol=0.02)  # half a pixel's slope


def test_over_a_cut_nothing_is_known(tmp_path: Path) -> None:
    first, second = all_motions(synthetic.make_job(tmp_path / "job", frames=3, cuts=(2,)))
    assert first.forward.isnan().all() and first.backward.isnan().all() and not first.transforms
    assert not second.forward.isnan().any() and second.transforms


def test_objects_whose_topology_changed_have_no_known_motion(tmp_path: Path) -> None:
    """Their vectors, here the same as without the change, join points that have nothing to do with each other."""
    job = synthetic.make_job(tmp_path / "job", frames=4, scene=Scene(32, 32))
    content = json.loads((job.path / "job.json").read_text())
    content["frames"][2]["unknown_motion"] = ["Ball", "Elsewhere", "never seen"]
    (job.path / "job.json").write_text(json.dumps(content))
    told: list[str] = []
    for pair, (_, motion) in enumerate(list(motions(Shot.open(job.path), warn=told.append))[1:], start=1):
        assert motion is not None
        for flow, surface in ((motion.forward, motion.surface_old), (motion.backward, motion.surface_new)):
            ball = surface.numpy() == NUMBERS["Ball"]
            assert ball.sum() > 50
            assert (flow.isnan().all(-1).numpy() == (ball if pair == 2 else False)).all()
        lost = {NUMBERS["Ball"], NUMBERS["Elsewhere"]} if pair == 2 else set()
        assert motion.transforms.keys() == {0, *NUMBERS.values()} - lost
    assert len(told) == 1 and "Frame 3: the topology of Ball, Elsewhere changes" in told[0]


def test_non_finite_vectors_are_unknown_and_reported_once(tmp_path: Path) -> None:
    scene = Scene(32, 32)
    job = synthetic.make_job(tmp_path / "job", frames=3, scene=scene)
    floor = np.argwhere(scene.hits(1)[2] == "Floor")
    bad = [tuple(floor[3]), tuple(floor[40])]
    for frame in (2, 3):
        planes = scene.planes(frame - 1)
        planes["Vector.Y"][bad[0]] = np.nan
        planes["Vector.X"][bad[1]] = np.inf
        synthetic.write_passes(job.passes(frame), planes)
    warnings: list[str] = []
    _, (_, motion), _ = motions(job, warn=warnings.append)
    assert motion is not None
    unknown = np.isnan(motion.backward.numpy()).all(-1)
    assert sorted(map(tuple, np.argwhere(unknown))) == sorted(bad)
    assert not motion.forward.isnan().any()
    assert len(warnings) == 1 and "2 of 1024 pixels are not finite" in warnings[0]
    assert NUMBERS["Floor"] in motion.transforms


def test_a_deforming_object_gets_no_transform_until_it_is_seen_to_be_rigid(tmp_path: Path) -> None:
    scene = Scene(32, 32)
    job = synthetic.make_job(tmp_path / "job", frames=5, scene=scene)
    planes = scene.planes(1)
    ball = scene.hits(1)[2] == "Ball"
    planes["Vector.X"][ball] += np.float32(0.3) * np.sin(np.arange(ball.sum(), dtype=np.float32))
    synthetic.write_passes(job.passes(2), planes)
    found = [NUMBERS["Ball"] in motion.transforms for motion in all_motions(job)]
    assert found == [False, True, True, True]
    assert all(NUMBERS["Floor"] in motion.transforms for motion in all_motions(job))


def averaged_planes(scene: Scene, t: float) -> dict[str, np.ndarray]:
    """As a usual render has them: vectors are means over those of 9 samples of a pixel that hit something, all else is
    of its middle."""
    fine = replace(scene, width=3 * scene.width, height=3 * scene.height).planes(t)
    planes = {name: np.ascontiguousarray(plane[1::3, 1::3]) for name, plane in fine.items()}
    blocks = scene.height, 3, scene.width, 3
    hit = (fine["Depth.Z"] < synthetic.BACKGROUND_DEPTH).reshape(blocks)
    for name in planes:
        if name.startswith("Vector"):
            total = (fine[name].reshape(blocks) * hit).sum(axis=(1, 3), dtype=np.float32)
            planes[name] = total / (3 * np.maximum(hit.sum(axis=(1, 3), dtype=np.float32), 1))
    return planes


@pytest.mark.parametrize("averaged", [False, True])
@pytest.mark.parametrize("deforms", [False, True])
def test_vectors_that_are_averaged_over_samples(tmp_path: Path, averaged: bool, deforms: bool) -> None:
    """Mixtures at silhouettes do not make a surface loose, and rigid surfaces do not move by them."""
    scene = Scene(48, 48)
    job = synthetic.make_job(tmp_path / "job", frames=3, scene=scene)
    content = json.loads((job.path / "job.json").read_text())
    content["scene"]["averaged_vectors"] = averaged
    (job.path / "job.json").write_text(json.dumps(content))
    for frame in (1, 2, 3):
        planes = averaged_planes(scene, frame - 1)
        if deforms:
            ball = planes["CryptoObject00.r"].view(np.uint32) == HASHES["Ball"]
            planes["Vector.X"][ball] += np.float32(0.3) * np.sin(np.arange(ball.sum(), dtype=np.float32))
        synthetic.write_passes(job.path / "passes" / f"{frame:04d}.exr", planes)
    for t, motion in enumerate(all_motions(job)):
        assert (NUMBERS["Ball"] in motion.transforms) == (averaged and not deforms)
        if averaged and not deforms:
            known = ~np.isnan(scene.truth(t, t + 1)[..., 0])
            error = np.linalg.norm(motion.forward.numpy() - scene.truth(t, t + 1), axis=-1)[known]
            assert error.max() < 1e-3


def test_a_deformed_surface_stays_deforming_while_occluded(tmp_path: Path) -> None:
    scene = Scene(32, 32)
    job = synthetic.make_job(tmp_path / "job", frames=4, scene=scene)
    for frame in (2, 3, 4):
        planes = scene.planes(frame - 1)
        ball = scene.hits(frame - 1)[2] == "Ball"
        if frame == 2:
            planes["Vector.X"][ball] += 1
            planes["Vector.Z"][ball] += 1
        else:
            planes["CryptoObject00.r"][ball] = np.uint32(HASHES["Floor"]).view(np.float32)
        synthetic.write_passes(job.passes(frame), planes)
    assert [NUMBERS["Ball"] in motion.transforms for motion in all_motions(job)] == [False, False, False]


def test_a_job_without_cameras_has_the_vectors_as_they_are(tmp_path: Path) -> None:
    scene = Scene(32, 32)
    source = synthetic.make_job(tmp_path / "source", frames=2, scene=scene)
    job = Shot.create(
        tmp_path / "job",
        passes=[source.passes(f) for f in source.frames],
        color=[source.color(f) for f in source.frames],
    )
    motion = all_motions(job)[0]
    np.testing.assert_allclose(motion.forward.numpy(), scene.truth(0, 1, as_rendered=True), atol=1e-5)
    assert not motion.transforms


def test_passes_of_another_size(tmp_path: Path) -> None:
    job = synthetic.make_job(tmp_path / "job", frames=2, width=16, height=16)
    synthetic.write_passes(job.passes(2), Scene(16, 12).planes(1))
    with pytest.raises(MediaError, match=r"0002\.exr: expected 16 x 16 pixels.*got 16 x 12"):
        list(motions(job, warn=never))


def test_frames_are_read_when_they_are_asked_for(tmp_path: Path) -> None:
    job = synthetic.make_job(tmp_path / "job", frames=3, width=8, height=8)
    job.passes(3).write_bytes(b"")
    stream = motions(job, warn=never)
    assert [next(stream)[0], next(stream)[0]] == [1, 2]
    with pytest.raises(MediaError, match=r"0003\.exr is empty"):
        next(stream)
