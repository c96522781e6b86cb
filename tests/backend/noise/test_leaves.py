"""The points of a pixel's leaves are a (0, m, 2)-net: one in every elementary interval."""

from __future__ import annotations

import numba
import numpy as np
import pytest
import torch
from scipy import stats
from warpnoise.noise.kernels.tree import leaf_point
from warpnoise.noise.records import tree_over

SIZE = 32

point = numba.njit(lambda *arguments: leaf_point(*arguments))


def leaf_points(side: int) -> tuple[np.ndarray, np.ndarray]:
    """x and y, (pixels, k * k) float64, of the leaves of a frame's pixels, inside their pixel."""
    tree = tree_over(SIZE, SIZE, side, 4, torch.device("cpu"))
    tree = tree._replace(measures=tree.measures.numpy())
    row, column = np.divmod(np.arange(SIZE * SIZE), SIZE)
    points = [
        [point(tree, 3, i * side + x, j * side + y) for y in range(side) for x in range(side)]
        for i, j in zip(column.tolist(), row.tolist(), strict=True)
    ]
    x, y = np.moveaxis(np.array(points), -1, 0)
    return x - column[:, None], y - row[:, None]


@pytest.mark.slow
@pytest.mark.parametrize("side", [1, 2, 4, 8])
def test_every_elementary_interval_has_one_point(side: int) -> None:
    x, y = leaf_points(side)
    count = side**2
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
    """The variance of the number is about half that of points that are only jittered in their leaves."""
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
    """The number of points in each inner pixel after all have moved by (shift, 0.6 shift) pixels."""
    pixel = np.arange(SIZE * SIZE)[:, None]
    column = np.floor(points[0] + shift).astype(int) + pixel % SIZE
    row = np.floor(points[1] + 0.6 * shift).astype(int) + pixel // SIZE
    every = np.bincount((row * (SIZE + 1) + column).ravel(), minlength=(SIZE + 1) ** 2)
    return every.reshape(SIZE + 1, SIZE + 1)[1:-1, 1:-1]
