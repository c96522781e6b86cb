from __future__ import annotations

import numpy as np
from warpnoise.pipeline.pictures import fill_transparent


def test_transparent_pixels_take_the_nearest_colour() -> None:
    random = np.random.default_rng(0)
    picture = random.integers(0, 65536, (9, 11, 4)).astype(np.uint16)
    picture[..., 3] = np.where(random.random((9, 11)) < 0.2, 65535, 0)
    filled = fill_transparent(picture)
    ys, xs = np.nonzero(picture[..., 3])
    for y in range(9):
        for x in range(11):
            distance = np.hypot(ys - y, xs - x)
            # The mask of 5 x 5 pixels measures diagonals to within a few percent, so that near ties may go either way.
            near = distance <= 1.05 * distance.min()
            assert (filled[y, x] == picture[ys[near], xs[near], :3]).all(axis=1).any()
    opaque = picture[..., 3] > 0
    np.testing.assert_array_equal(filled[opaque], picture[opaque][:, :3])


def test_half_transparent_colours_stay() -> None:
    picture = np.full((4, 4, 4), 1000, dtype=np.uint16)
    picture[..., 3] = 300
    np.testing.assert_array_equal(fill_transparent(picture), picture[..., :3])


def test_an_empty_picture_is_grey() -> None:
    assert (fill_transparent(np.zeros((4, 4, 4), dtype=np.uint16)) == 32768).all()
