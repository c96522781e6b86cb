"""Every frame's noise is white and faithful, in small frames with many channels; all methods have one interface."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from warpnoise.noise import NOISE_METHODS, Motion, WarpedNoise, make_noise

from .conftest import SIMULATED
from .planes import WAYS
from .white import assert_white

SIZE, CHANNELS, FRAMES = (4, 16, 1) if SIMULATED else (24, 1800, 8)  # 10^6 samples; the simulator is slow


def pan(x: float, y: float, size: int = SIZE) -> Motion:
    """Everything moves by (x, y) pixels."""
    vectors = np.broadcast_to(np.array([x, y], np.float32), (size, size, 2))
    return Motion(vectors.copy(), -vectors)


@pytest.mark.slow
def test_white_and_faithful_on_a_sub_pixel_pan() -> None:
    """After t frames the pixel has moved by t * (0.37, 0.21) and overlaps four pixels of the first frame."""
    noise = WarpedNoise((CHANNELS, SIZE, SIZE), seed=3, particles_per_side=2 if SIMULATED else 4)
    first = noise.frame()
    for frame in range(1, FRAMES + 1):
        now = noise.advance(pan(0.37, 0.21))
        if frame in (1, FRAMES):
            fidelity, error = pan_fidelity(first, now, 0.37 * frame, 0.21 * frame)
            assert abs(fidelity - 1) < 0.02 + 2 * error
    assert_white(now)


def pan_fidelity(first: torch.Tensor, now: torch.Tensor, x: float, y: float) -> tuple[float, float]:
    """sum C <n_t n_s> / sum C^2 over all pixels that were in sight, and its standard error."""
    whole, part = np.floor([x, y]).astype(int), np.array([x, y]) % 1
    product = weight = 0.0
    height, width = first.shape[1:]
    for oy in (0, 1):
        for ox in (0, 1):
            covariance = abs(1 - ox - part[0]) * abs(1 - oy - part[1])
            dx, dy = whole + np.array([ox, oy])
            inner = now[:, dy + 1 :, dx + 1 :] * first[:, 1 : height - dy, 1 : width - dx]
            product += covariance * inner.mean().item()
            weight += covariance**2
    return product / weight, (weight * inner.numel()) ** -0.5


@pytest.mark.parametrize("name", NOISE_METHODS)
def test_every_method_has_the_same_interface(name: str) -> None:
    noise = make_noise(name, (3, 16, 16), seed=1, device="cpu", maps=2)
    frames = [noise.frame(0), noise.advance(pan(0.5, 0.25, 16))]
    for frame in (*frames, noise.frame(1)):
        assert frame.shape == (3, 16, 16) and frame.dtype == torch.float32 and torch.isfinite(frame).all()
    assert torch.equal(frames[1], noise.frame(0))
    assert torch.equal(frames[0], frames[1]) == (name == "fixed")


@pytest.mark.parametrize("side", [1, 2])
@pytest.mark.parametrize("name", ["zoom out", "turn"])
def test_every_pixel_has_noise_however_few_the_particles(name: str, side: int) -> None:
    """Merging may move a pixel's only particle to a neighbor."""
    way = WAYS[name](64)
    noise = WarpedNoise((1, 64, 64), seed=2, particles_per_side=side)
    for t in range(0, 80, 2):
        assert torch.isfinite(noise.advance(way.motion(t, t + 2))).all(), f"frame {t + 2}"
