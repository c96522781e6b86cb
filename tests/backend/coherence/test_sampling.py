"""Reading between pixels."""

import numpy as np
from warpnoise.coherence.sampling import catmull_rom, read_spline, spline

from ..compare.shots import grid


def test_pixels_round_trip():
    picture = np.random.default_rng(0).random((7, 9, 3), dtype=np.float32)
    np.testing.assert_array_equal(catmull_rom(picture, grid(7, 9)), picture)


def test_quadratics_are_exact_between_pixels():
    def quadratic(p):
        x, y = p[..., 0], p[..., 1]
        return (0.3 + 0.1 * x - 0.2 * y + 0.01 * x * x - 0.02 * x * y + 0.03 * y * y)[..., None]

    places = np.random.default_rng(1).uniform(2, 9, (100, 2)).astype(np.float32)
    np.testing.assert_allclose(catmull_rom(quadratic(grid(12, 12)), places), quadratic(places), atol=2e-5)


def test_beyond_the_border_the_border_continues():
    picture = np.arange(12, dtype=np.float32).reshape(3, 4, 1)
    far = np.float32([[-100, 0], [1e30, 2], [0, -1e30], [3, 100]])
    np.testing.assert_allclose(catmull_rom(picture, far)[:, 0], [0, 11, 0, 11], atol=1e-6)


def test_an_unknown_place_has_no_colour():
    assert np.isnan(catmull_rom(np.ones((4, 4, 2), np.float32), np.float32([[np.nan, 1]]))).all()


def test_a_spline_goes_through_the_pixels():
    picture = np.random.default_rng(0).random((30, 31, 3), dtype=np.float32)
    np.testing.assert_allclose(read_spline(spline(picture), grid(30, 31)), picture, atol=1e-4)


def test_a_spline_blurs_less_than_cubic_convolution():
    """A grating of 4 px, moved by half a pixel there and back."""
    there, back = grid(32, 32) + np.float32([0.5, 0]), grid(32, 32) - np.float32([0.5, 0])
    picture = np.cos(grid(32, 32)[..., :1] * (np.pi / 2)).repeat(3, axis=2)

    def left(read):
        return read(read(picture, there), back)[8:-8, 8:-8].std() / picture[8:-8, 8:-8].std()

    assert left(lambda picture, place: read_spline(spline(picture), place)) > 0.9
    assert left(catmull_rom) < 0.8
