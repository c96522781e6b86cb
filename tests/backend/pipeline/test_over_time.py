"""Settings that change over the shot: the same bits however it is cut, and frames that stay where nothing changed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from warpnoise.job import Shot, chunk_of
from warpnoise.media.png import read_png
from warpnoise.pipeline import stylize
from warpnoise.pipeline.made_of import canonical

from ..synthetic import current

MakeJob = Callable[..., Shot]


def keys(path: str, *values: tuple[int, object]) -> list[dict[str, Any]]:
    return [{"data_path": path, "frame": frame, "value": value} for frame, value in values]


def pictures(shot: Shot) -> list[np.ndarray]:
    return [read_png(current(shot).frame(frame)) for frame in shot.frames]


def made(job: Shot, name: str, **changes: Any) -> list[np.ndarray]:
    shot = Shot.open(shutil.copytree(job.path, job.path.with_name(name)), needs=())
    stylize(shot, shot.settings.updated(changes), device="cpu", batch=1)
    return pictures(shot)


@pytest.fixture
def job(make_job: MakeJob) -> Shot:
    return make_job(frames=6, noise="warped", eta=1.0)


@pytest.mark.slow
def test_each_frame_has_the_values_of_its_place(job: Shot) -> None:
    changing = made(job, "changing", animation=keys("texture", (2, 0.0), (4, 0.4)))
    ends = [made(job, name, texture=value) for name, value in (("none", 0.0), ("all", 0.4))]
    # Where texture has a map in one of the shots only, its number is the same: the last.
    for index, expected in enumerate([ends[0], ends[0], None, ends[1], ends[1], ends[1]]):
        if expected is not None:
            np.testing.assert_array_equal(changing[index], expected[index])
    assert not np.array_equal(changing[2], ends[0][2]) and not np.array_equal(changing[2], ends[1][2])


@pytest.mark.slow
def test_the_largest_strength_has_the_noise_that_it_has_alone(job: Shot) -> None:
    changing = made(job, "changing", animation=keys("strength", (1, 0.25), (6, 1.0)))
    alone = made(job, "alone", strength=1.0)
    np.testing.assert_array_equal(changing[-1], alone[-1])
    assert len({picture.tobytes() for picture in changing}) == 6


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 3])
def test_the_bits_do_not_depend_on_the_cut(job: Shot, batch: int) -> None:
    animation = keys("strength", (2, 0.25), (4, 0.75)) + keys("guidance", (5, 1.0), (6, 2.0))
    settings = job.settings.updated({"animation": animation})
    whole = Shot.open(shutil.copytree(job.path, job.path.with_name("whole")), needs=())
    stylize(whole, settings, device="cpu", batch=batch)
    for number in (1, 2, 3):
        stylize(job, settings, frames=chunk_of(job.frames, number, 3), device="cpu", batch=batch)
    stylize(job, settings, frames=[3], device="cpu", batch=batch)
    for one, other in zip(pictures(whole), pictures(job), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_frame_is_made_of_its_own_values(job: Shot) -> None:
    one, other = (job.settings.updated({"animation": keys("guidance", (1, 1.0), (3, value))}) for value in (2.0, 3.0))
    assert canonical(one, 1) == canonical(other, 1) != canonical(one, 2) != canonical(other, 2)
    assert canonical(one) != canonical(other)
