"""Where a pixel's particles are spawned: one in each leaf, and in every other rectangle that halving makes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from warpnoise.noise import WarpedNoise

SIZE = 32


def leaf_points(atoms: int) -> tuple[np.ndarray, np.ndarray]:
    """x and y, (pixels, k * k), of the particles of a first frame's pixels, inside their pixel."""
    particles = WarpedNoise((1, SIZE, SIZE), seed=4, atoms=atoms)._table.particles
    x, y = particles.x.double().numpy(), particles.y.double().numpy()
    pixel = (np.floor(y) * SIZE + np.floor(x)).astype(int)
    order = np.lexsort((particles.path.numpy(), pixel))
    x, y = x[order].reshape(SIZE * SIZE, -1), y[order].reshape(SIZE * SIZE, -1)
    return x % 1, y % 1


@pytest.mark.parametrize("atoms", [1, 2, 4, 8])
def test_every_rectangle_of_a_points_area_has_one_point(atoms: int) -> None:
    x, y = leaf_points(atoms)
    count = atoms**2
    for power in range(count.bit_length()):
        columns, rows = 1 << power, count >> power
        rectangle = np.floor(y * rows) * columns + np.floor(x * columns)
        assert (np.sort(rectangle, axis=1) == np.arange(count)).all()


def test_points_are_uniform_and_those_of_two_pixels_independent() -> None:
    x, y = leaf_points(4)
    for points in (x, y):
        for which in (0, 5, 15):
            inside = (points[:, which] * 4) % 1
            assert stats.kstest(inside, "uniform").pvalue > 1e-3
        centred = points - points.mean(axis=0)
        neighbours = (centred[1:] * centred[:-1]).mean() / centred.var()
        assert abs(neighbours) < 4 / centred.size**0.5


def test_a_pixel_that_moves_keeps_its_number_of_points() -> None:
    """Better than points that are only jittered in their leaves: the variance is about half of theirs."""
    leaf, random = np.arange(16), np.random.default_rng(0).random((2, SIZE * SIZE, 16))
    jittered = (leaf % 4 + random[0]) / 4, (leaf // 4 + random[1]) / 4
    variances = np.array(
        [
            [counts(points, shift).var() for points in (leaf_points(4), jittered)]
            for shift in (0.05, 0.17, 0.37, 0.5, 0.83)
        ]
    )
    assert (variances[:, 0] < variances[:, 1]).all()
    assert variances[:, 0].sum() < 0.6 * variances[:, 1].sum()


def counts(points: tuple[np.ndarray, np.ndarray], shift: float) -> np.ndarray:
    """How many points lie in each inner pixel when all have moved by (shift, 0.6 shift) pixels."""
    pixel = np.arange(SIZE * SIZE)[:, None]
    column = np.floor(points[0] + shift).astype(int) + pixel % SIZE
    row = np.floor(points[1] + 0.6 * shift).astype(int) + pixel // SIZE
    every = np.bincount((row * (SIZE + 1) + column).ravel(), minlength=(SIZE + 1) ** 2)
    return every.reshape(SIZE + 1, SIZE + 1)[1:-1, 1:-1]
