"""Noise on a coarser grid than the motion: the noise of a latent is the pooled noise of the picture."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from warpnoise.noise import WarpedNoise

from .planes import WAYS

pytestmark = pytest.mark.slow

SIZE = 64
RATIO = 8


def pooled(noise: Tensor, ratio: int) -> Tensor:
    """Sums over ratio x ratio pixels, divided by ratio: white noise again."""
    return torch.nn.functional.avg_pool2d(noise, ratio) * ratio


def correlation(a: Tensor, b: Tensor) -> float:
    return torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1].item()


@pytest.mark.parametrize("ratio", [2, 4, 8, 16, 64])
@pytest.mark.parametrize("side", [1, 4])
def test_first_frames_of_all_sizes_agree(ratio: int, side: int) -> None:
    fine = WarpedNoise((16, SIZE, SIZE), seed=4)
    coarse = WarpedNoise((16, SIZE // ratio, SIZE // ratio), seed=4, particles_per_side=side)
    assert torch.allclose(pooled(fine.frame(), ratio), coarse.frame(), atol=1e-4)


def test_sizes_that_are_not_a_power_of_two_agree() -> None:
    fine, coarse = WarpedNoise((4, 72, 120), seed=4), WarpedNoise((4, 9, 15), seed=4)
    assert torch.allclose(pooled(fine.frame(), 8), coarse.frame(), atol=1e-4)


@pytest.mark.parametrize("name", ["pan", "turn", "zoom in", "zoom out"])
def test_pooled_noise_that_moved_is_white(name: str) -> None:
    way = WAYS[name](SIZE)
    noise = WarpedNoise((64, SIZE, SIZE), seed=4)
    for t in range(8):
        now = pooled(noise.advance(way.motion(t, t + 1)), RATIO)
    assert abs(now.var().item() - 1) < 4 * (2 / now.numel()) ** 0.5
    for neighbors in (now[..., 1:] * now[..., :-1], now[:, 1:] * now[:, :-1]):
        assert abs(neighbors.mean().item()) < 4 / neighbors.numel() ** 0.5


def test_finer_particles_agree_better_after_a_motion() -> None:
    """After a sub-pixel motion, particles of a quarter of a coarse pixel cannot be exactly where finer ones are."""
    way = WAYS["pan"](SIZE)
    fine = WarpedNoise((64, SIZE, SIZE), seed=4)
    coarse = {k: WarpedNoise((64, SIZE // RATIO, SIZE // RATIO), seed=4, particles_per_side=k) for k in (1, 2, 4, 8)}
    for t in range(4):
        motion = way.motion(t, t + 1)
        expected = pooled(fine.advance(motion), RATIO)
        agree = [correlation(noise.advance(motion), expected) for noise in coarse.values()]
    assert agree == sorted(agree) and agree[2] > 0.75 and agree[3] > 0.85
