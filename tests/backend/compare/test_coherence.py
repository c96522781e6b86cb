"""Coherence of sequences for which it is known."""

import numpy as np
import pytest
from warpnoise.compare.metrics.coherence import CoherenceMeter, gradient_energy
from warpnoise.compare.metrics.correspondence import correspondences

from .shots import grid, pan, smooth_texture

SIZE = 64, 96
LAGS = (1, 4)
STEP = 1.25, 0.5


def measure(pictures, step=STEP):
    meter = CoherenceMeter(LAGS)
    motions = (None if t == 0 else pan(*SIZE, *step) for t in range(len(pictures)))
    for picture, found in zip(pictures, correspondences(motions, LAGS), strict=True):
        meter.add(picture, found.values())
    return meter.result()


def moving(texture, count=8):
    return [texture(grid(*SIZE) - t * np.float32(STEP)) for t in range(count)]


@pytest.mark.slow
def test_a_texture_that_moves_with_the_scene_is_coherent():
    result = measure(moving(smooth_texture(0, *SIZE)))
    for lag in LAGS:
        assert result.warp_error[lag] < 1e-5
        assert result.incoherence[lag] < 2e-3


def test_unrelated_noise_has_incoherence_one_and_the_error_of_its_variance():
    random = np.random.default_rng(0)
    result = measure([random.normal(0.5, 0.1, (*SIZE, 3)).astype(np.float32) for _ in range(8)], step=(2, 1))
    for lag in LAGS:
        assert result.incoherence[lag] == pytest.approx(1, abs=0.01)
        assert result.warp_error[lag] == pytest.approx(2 * 0.1**2, rel=0.02)


def test_unrelated_noise_has_incoherence_one_also_between_pixels():
    random = np.random.default_rng(0)
    result = measure([random.normal(0.5, 0.1, (*SIZE, 3)).astype(np.float32) for _ in range(8)])
    assert result.incoherence[1] == pytest.approx(1, abs=0.01)


def test_half_of_the_texture_s_variance_moves_along():
    random = np.random.default_rng(0)
    wide = random.standard_normal((*SIZE[:1], SIZE[1] + 16, 3))
    pictures = [
        (wide[:, 16 - 2 * t :][:, : SIZE[1]] + random.standard_normal((*SIZE, 3))).astype(np.float32) for t in range(8)
    ]
    result = measure(pictures, step=(2, 0))
    assert result.incoherence[1] == pytest.approx(0.5, abs=0.01)
    assert result.incoherence[4] == pytest.approx(0.5, abs=0.01)


def test_light_that_changes_is_a_warp_error_but_no_incoherence():
    pictures = [picture + 0.01 * t for t, picture in enumerate(moving(smooth_texture(0, *SIZE)))]
    result = measure(pictures)
    assert result.warp_error[4] == pytest.approx(0.04**2, rel=0.05)
    assert result.incoherence[4] < 2e-3


def test_a_lag_without_two_frames_is_left_out():
    result = measure(moving(smooth_texture(0, *SIZE), 3))
    assert set(result.warp_error) == set(result.incoherence) == {1}


def test_gradient_energy_of_noise_and_of_a_ramp():
    noise = np.random.default_rng(0).normal(0, 0.1, (*SIZE, 3)).astype(np.float32)
    assert gradient_energy(noise) == pytest.approx(4 * 0.1**2, rel=0.02)
    ramp = (0.01 * grid(*SIZE)[..., :1] + 0.02 * grid(*SIZE)[..., 1:]).astype(np.float32)
    assert gradient_energy(ramp) == pytest.approx(0.01**2 + 0.02**2, rel=1e-4)


def test_no_frames_have_no_figures():
    with pytest.raises(ValueError, match="at least one frame"):
        CoherenceMeter(LAGS).result()
