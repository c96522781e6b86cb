"""PSNR, SSIM and the sliced Wasserstein distance."""

import math

import numpy as np
import pytest
from warpnoise.compare.metrics.quality import PatchSampler, laplacian_pyramid, psnr, sliced_wasserstein, ssim

from .shots import grid, smooth_texture

SIZE = 64, 64


def texture(seed):
    return smooth_texture(seed, *SIZE)(grid(*SIZE))


def descriptors(pictures, seed=0):
    sampler = PatchSampler(seed)
    for picture in pictures:
        sampler.add(picture)
    return sampler.descriptors()


def test_psnr_of_a_known_error():
    picture = texture(0)
    assert psnr(picture + np.float32(0.1), picture) == pytest.approx(20, abs=1e-3)
    assert psnr(picture, picture) == math.inf


def test_ssim_is_one_for_equals_and_known_for_a_shift_of_the_mean():
    picture = np.full((32, 32, 3), 0.5, np.float32)
    assert ssim(picture, picture) == 1
    # Flat pictures differ in the luminance term only: (2 ab + C1) / (a^2 + b^2 + C1).
    expected = (2 * 0.5 * 0.7 + 1e-4) / (0.5**2 + 0.7**2 + 1e-4)
    assert ssim(picture, picture + np.float32(0.2)) == pytest.approx(expected, abs=1e-6)


def test_ssim_of_a_picture_smaller_than_its_window():
    assert ssim(texture(0)[:8, :8], texture(0)[:8, :8]) == pytest.approx(1)


def test_the_pyramid_adds_up_to_the_picture():
    import cv2

    picture = texture(0)
    *details, rest = laplacian_pyramid(picture)
    assert rest.shape[:2] == (16, 16)
    for detail in reversed(details):
        rest = detail + cv2.pyrUp(rest, dstsize=(detail.shape[1], detail.shape[0]))
    np.testing.assert_allclose(rest, picture, atol=1e-6)


def test_a_set_has_no_distance_from_itself_and_little_from_its_other_patches():
    pictures = [texture(seed) for seed in range(3)]
    noise = [np.random.default_rng(seed).random((*SIZE, 3), dtype=np.float32) for seed in range(3)]
    itself = sliced_wasserstein(descriptors(pictures), descriptors(pictures))
    resampled = sliced_wasserstein(descriptors(pictures), descriptors(pictures, seed=1))
    other = sliced_wasserstein(descriptors(pictures), descriptors(noise))
    assert itself == 0
    assert resampled < 0.6 * other


def test_the_distance_of_shifted_sets_is_that_of_the_shift():
    """Moved by 1 along every axis: each unit direction u sees |sum u|, of mean sqrt(2 / pi) in many dimensions."""
    a = [np.random.default_rng(0).standard_normal((500, 200)).astype(np.float32)]
    assert sliced_wasserstein(a, [a[0] + 1]) == pytest.approx(1000 * math.sqrt(2 / math.pi), rel=0.1)


def test_sets_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match="same size"):
        sliced_wasserstein(descriptors([texture(0)]), descriptors([texture(0)] * 2))
