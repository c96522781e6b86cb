"""Fidelity and whiteness against noise made by hand."""

import numpy as np
import pytest
from warpnoise.compare.metrics.correspondence import correspondences
from warpnoise.compare.metrics.covariance import WhitenessMeter, exact_covariance, fidelity_sums

from .shots import pan, zoom

SIZE = 48, 64


def correspondence(motion):
    _, found = correspondences(iter([None, motion]), (1,))
    return found[1]


def fidelity(new, old, motion):
    numerator, denominator = fidelity_sums(new.astype(np.float32), old.astype(np.float32), correspondence(motion))
    return numerator / denominator


def noise(seed=0, channels=16, size=SIZE):
    return np.random.default_rng(seed).standard_normal((channels, *size))


def whiteness(*noises):
    meter = WhitenessMeter()
    for each in noises:
        meter.add(each.astype(np.float32))
    return meter.result()


def test_noise_that_moves_by_whole_pixels_is_faithful():
    old = noise()
    assert fidelity(np.roll(old, 3, axis=2), old, pan(*SIZE, 3)) == pytest.approx(1, abs=0.02)


def test_unrelated_noise_is_not():
    assert fidelity(noise(1), noise(2), pan(*SIZE, 3)) == pytest.approx(0, abs=0.02)


def test_noise_integrated_over_half_pixels_is_faithful():
    """A pan by half a pixel, from white noise at twice the resolution: C is 1/2 and 1/2, fidelity 1."""
    fine = noise(size=(SIZE[0], 2 * SIZE[1] + 1)) / np.sqrt(2)
    old = fine[..., 1:-1:2] + fine[..., 2::2]
    new = fine[..., :-1:2] + fine[..., 1::2]
    assert fidelity(new, old, pan(*SIZE, 0.5)) == pytest.approx(1, abs=0.02)


def test_bilinear_noise_claims_too_much_of_its_neighbours():
    """Half and half again, but not white: its variance is 1/2, its covariance with the old noise is as C has it."""
    old = noise()
    new = (old + np.roll(old, 1, axis=2)) / 2
    assert fidelity(new, old, pan(*SIZE, 0.5)) == pytest.approx(1, abs=0.02)
    assert whiteness(new).variance == pytest.approx(0.5, abs=0.01)


def test_the_exact_covariance_of_a_pan_and_of_a_zoom():
    row = np.array([[10, 20]])
    around = np.array([[8, 20], [9, 20], [10, 20], [11, 20]])
    np.testing.assert_allclose(
        exact_covariance(correspondence(pan(*SIZE, 1.25)), row, around), [[0.25, 0.75, 0, 0]], atol=1e-6
    )
    # Magnified twice: a pixel covers a quarter of an old one, |A_i & A_j| / sqrt|A_i| = (1/4) / (1/2).
    middle = np.array([[32, 24]])
    window = np.array([[x, y] for y in range(20, 28) for x in range(28, 36)])
    assert exact_covariance(correspondence(zoom(*SIZE, 2)), middle, window).sum() == pytest.approx(0.5, abs=1e-6)


def test_what_came_in_has_no_covariance():
    covariance = exact_covariance(correspondence(pan(*SIZE, 4)), np.array([[2, 20]]), np.array([[0, 20]]))
    assert covariance.sum() == 0


def test_white_noise_is_white_and_blurred_noise_is_not():
    white = whiteness(*(noise(seed) for seed in range(4)))
    assert white.variance == pytest.approx(1, abs=0.02) and white.correlation < 0.01 and white.is_white
    blurred = whiteness((noise() + np.roll(noise(), 1, axis=2)) / np.sqrt(2))
    assert (
        blurred.correlation == pytest.approx(0.25, abs=0.01) and not blurred.is_white
    )  # 1/2 in one of four directions
    assert not whiteness(1.1 * noise()).is_white
