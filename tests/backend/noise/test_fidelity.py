"""A surface keeps its noise in all frames in which it is visible.

Fidelity of frame t to frame s is sum_ij C_ij <n_t(i) n_s(j)> / sum_ij C_ij^2 with the exact covariance
C_ij = |A_ti & A_sj| / sqrt(|A_ti| |A_sj|). It must be within 0.02 of 1. The statistical error is at most 0.006.
"""

from __future__ import annotations

import pytest
from warpnoise.noise import WarpedNoise

from .planes import WAYS, Way, all_maps, fidelity, pan

pytestmark = pytest.mark.slow

TOLERANCE = 0.02
MOST_ERROR = 0.006
FRAMES = (1, 8, 32, 128)


def assert_faithful(value: float, error: float, what: str) -> None:
    assert error < MOST_ERROR, f"{what}: too few channels, {value:.4f} +- {error:.4f}"
    assert abs(value - 1) <= TOLERANCE, f"{what}: fidelity {value:.4f} +- {error:.4f}"


@pytest.mark.parametrize("name", WAYS)
def test_faithful_to_the_first_frame_and_the_previous_one(name: str) -> None:
    way = WAYS[name](64)
    noise = WarpedNoise((32, way.size, way.size), seed=7, maps=8)
    first = all_maps(noise)
    for t in range(1, FRAMES[-1] + 1):
        previous = (first if t == 1 else all_maps(noise)) if t in FRAMES else None
        noise.advance(way.motion(t - 1, t))
        if previous is not None:
            now = all_maps(noise)
            assert_faithful(*fidelity(now, first, way.covariance(t, 0)), f"frame {t} to the first")
            assert_faithful(*fidelity(now, previous, way.covariance(t, t - 1)), f"frame {t} to the previous")


@pytest.mark.parametrize("name", ["pan", "zoom out"])
def test_faithful_to_the_frame_in_which_a_surface_entered(name: str) -> None:
    way, entered, last = WAYS[name](48), 24, 48
    noise = WarpedNoise((32, way.size, way.size), seed=8, maps=24)
    for t in range(entered):
        noise.advance(way.motion(t, t + 1))
    then = all_maps(noise)
    for t in range(entered, last):
        noise.advance(way.motion(t, t + 1))
    covariance = way.covariance(last, entered, entered_since=0)
    assert_faithful(*fidelity(all_maps(noise), then, covariance), f"frame {last} to {entered}")


def test_slow_motion_moves_the_noise() -> None:
    """0.05 pixels per frame for twenty frames are one pixel, and no noise remains at its first place."""
    way: Way = pan(0.05, 0.0)(48)
    noise = WarpedNoise((32, way.size, way.size), seed=5, maps=6)
    first = all_maps(noise)
    for t in range(20):
        noise.advance(way.motion(t, t + 1))
        if t in (4, 9):  # a quarter and half of a pixel
            assert_faithful(*fidelity(all_maps(noise), first, way.covariance(t + 1, 0)), f"frame {t + 1}")
    now = all_maps(noise)
    assert (now[:, :, 2:] * first[:, :, 1:-1]).mean().item() > 0.98
    assert abs((now[:, :, 2:] * first[:, :, 2:]).mean().item()) < 0.02
