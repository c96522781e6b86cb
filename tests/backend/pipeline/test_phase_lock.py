"""Phase lock in whole jobs: a pan moves by whole cells on the model's grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from warpnoise.job import Settings, Shot
from warpnoise.media.png import read_png
from warpnoise.pipeline import stylize
from warpnoise.pipeline.carry import make_lock

from ..synthetic import Array, Scene, current

MakeJob = Callable[..., Shot]

PAN = 3
FRAMES = 4
WIDTH, HEIGHT = 80, 48
BORDER = 16
"""The model's padding reaches so far."""


@dataclass(frozen=True)
class Pan(Scene):
    """Everything moves left by PAN pixels a frame."""

    width: int = WIDTH
    height: int = HEIGHT
    turn: float = 0.0
    shift: float = PAN / WIDTH

    def objects(self, t: float) -> dict[str, Array]:
        return super().objects(0.0)


@dataclass(frozen=True)
class Parallax(Pan):
    """The ball moves against the rest."""

    def objects(self, t: float) -> dict[str, Array]:
        return Scene.objects(self, 20 * t)


def pictures(job: Shot) -> dict[int, np.ndarray]:
    return {frame: read_png(current(job).frame(frame)).astype(int) for frame in job.frames}


def flicker(job: Shot) -> float:
    """Of a pan: the mean difference between two frames, moved by the true motion, far from the border; of 65535."""
    made = list(pictures(job).values())
    inside = slice(BORDER, WIDTH - BORDER - PAN)
    differences = [
        np.abs(new[BORDER:-BORDER, inside] - old[BORDER:-BORDER, inside.start + PAN : inside.stop + PAN])
        for old, new in pairwise(made[1:])  # the first frame has no border
    ]
    return float(np.mean(differences))


@pytest.mark.slow
def test_a_pan_is_exact_and_without_lock_it_is_not(make_job: MakeJob) -> None:
    job = make_job(scene=Pan(), frames=FRAMES, noise="warped", strength=0.6)
    stylize(job, device="cpu")
    exact = flicker(job)
    stylize(job, job.settings.updated({"phase_lock": "off"}), device="cpu")
    # Group norms see what comes into the frame.
    assert exact < 0.05 * flicker(job)


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 2])
def test_frames_alone_have_the_same_bits(make_job: MakeJob, batch: int) -> None:
    job = make_job(scene=Pan(), frames=FRAMES, noise="warped", eta=1.0)
    stylize(job, device="cpu", batch=batch)
    whole = pictures(job)
    for frame in (job.frames[0], job.frames[2]):
        current(job).frame(frame).unlink()
        stylize(job, device="cpu", batch=batch, frames=[frame])
        assert np.array_equal(read_png(current(job).frame(frame)), whole[frame])


@pytest.mark.slow
def test_other_motion_is_locked_only_on_request(make_job: MakeJob) -> None:
    job = make_job(scene=Parallax(), frames=2, noise="warped")
    made = {}
    for lock in ("exact", "off", "always"):
        stylize(job, job.settings.updated({"phase_lock": lock}), device="cpu")
        made[lock] = pictures(job)
    first, second = job.frames
    assert np.array_equal(made["exact"][second], made["off"][second])
    assert np.array_equal(made["always"][first], made["off"][first])
    assert not np.array_equal(made["always"][second], made["off"][second])


def test_asked_for_in_vain_it_says_so() -> None:
    said: list[str] = []
    no_grid: Any = SimpleNamespace(cell=lambda settings: 1)
    assert make_lock(no_grid, Settings(), said.append) is None and said == []
    assert make_lock(no_grid, Settings(phase_lock="always"), said.append) is None
    assert said == ["Phase lock has no effect: with this model and pooled noise, frames cannot be shifted by pixels."]
