"""Vectors as Cycles projects them, through lenses that are not the other frame's, come out right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from warpnoise.job import Shot
from warpnoise.motion import motions

from .. import synthetic
from ..synthetic import HASHES, Scene

Array = npt.NDArray[np.float64]
SPOILED = "wrong vectors for a moving orthographic camera"


def true_lens(here: Array, there: Array) -> Array:
    return there


def this_lens(here: Array, there: Array) -> Array:
    """Blender 4.2; with orthographic cameras also 5.2."""
    return here


def focal_length(here: Array, there: Array) -> Array:
    """Blender 4.3 to 5.2."""
    mixed = there.copy()
    mixed[:2, 2] = here[:2, 2]
    return mixed


def perspective(here: Array, there: Array) -> Array:
    """Blender 4.3 to 5.0 when an orthographic camera moves: X / z, Y / z, some focal length, this frame's shift."""
    spoiled = np.zeros((4, 4))
    spoiled[0], spoiled[1] = 5.7 * here[0], 5.7 * here[1]
    spoiled[:2, 2], spoiled[:2, 3] = -here[:2, 3], 0
    spoiled[2] = here[2]
    spoiled[3, 2] = -1
    return spoiled


def run(job: Shot) -> tuple[list[Any], list[str]]:
    warnings: list[str] = []
    return [motion for _, motion in motions(job, warn=warnings.append) if motion is not None], warnings


@pytest.mark.parametrize("lens", [true_lens, this_lens, focal_length])
@pytest.mark.parametrize("moving", [True, False])
def test_perspective(tmp_path: Path, lens: Callable[[Array, Array], Array], moving: bool) -> None:
    scene = Scene(48, 40, zoom=0.08, shift=0.03, turn=0.03 if moving else 0, cycles_lens=lens)
    found, warnings = run(synthetic.make_job(tmp_path / "job", frames=3, scene=scene))
    assert warnings == []
    for t, motion in enumerate(found):
        np.testing.assert_allclose(motion.forward.numpy(), scene.truth(t, t + 1), atol=1e-4)
        np.testing.assert_allclose(motion.backward.numpy(), scene.truth(t + 1, t), atol=1e-4)
        assert len(motion.transforms) == 4


@pytest.mark.parametrize(("lens", "spoiled"), [(true_lens, False), (this_lens, False), (perspective, True)])
def test_orthographic(tmp_path: Path, lens: Callable[[Array, Array], Array], spoiled: bool) -> None:
    scene = Scene(48, 40, ortho=True, zoom=0.05, shift=0.02, cycles_lens=lens)
    found, warnings = run(synthetic.make_job(tmp_path / "job", frames=3, scene=scene))
    assert [SPOILED in warning for warning in warnings] == ([True] if spoiled else [])
    for t, motion in enumerate(found):
        objects = motion.surface_old.numpy() != 0
        np.testing.assert_allclose(motion.forward.numpy()[objects], scene.truth(t, t + 1)[objects], atol=1e-4)
        assert (motion.forward.numpy()[~objects] == 0).all()
        assert len(motion.transforms) == 4


def nameless_ball(scene: Scene, job: Shot) -> None:
    """Takes the ball's matrix away, as if it were an instance: only its vectors tell how it moves."""
    for t, frame in enumerate(job.frames):
        manifest = {name: number for name, number in HASHES.items() if name != "Ball"}
        synthetic.write_passes(job.passes(frame), scene.planes(t), manifest=manifest)


@pytest.mark.parametrize("lens", [this_lens, focal_length])
def test_objects_without_a_matrix_are_corrected_by_what_others_show(
    tmp_path: Path, lens: Callable[[Array, Array], Array]
) -> None:
    scene = Scene(48, 40, zoom=0.08, shift=0.03, cycles_lens=lens)
    job = synthetic.make_job(tmp_path / "job", frames=2, scene=scene)
    nameless_ball(scene, job)
    (motion,), _ = run(job)
    ball = scene.hits(1)[2] == "Ball"
    np.testing.assert_allclose(motion.backward.numpy()[ball], scene.truth(1, 0)[ball], atol=1e-4)
    assert len(motion.transforms) == 3


def test_in_spoiled_frames_objects_without_a_matrix_stand_still(tmp_path: Path) -> None:
    moving = Scene(48, 40, ortho=True, cycles_lens=perspective)
    job = synthetic.make_job(tmp_path / "job", frames=2, scene=moving)
    nameless_ball(moving, job)
    (motion,), warnings = run(job)
    ball = moving.hits(1)[2] == "Ball"
    still = motion.backward.numpy()[ball]
    assert np.isfinite(still).all() and len(warnings) == 1
    # The ball spins by 0.05 radians a frame: standing still it is wrong by less than that on its surface, and rises.
    assert np.linalg.norm(still - moving.truth(1, 0)[ball], axis=-1).max() < 48 / 7 * (0.05 + 0.02) * 1.1
