"""Noise on a coarser grid than the motion's: a latent's noise is the picture's noise, pooled."""

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
@pytest.mark.parametrize("atoms", [1, 4])
def test_first_frames_of_all_sizes_agree(ratio: int, atoms: int) -> None:
    fine = WarpedNoise((16, SIZE, SIZE), seed=4)
    coarse = WarpedNoise((16, SIZE // ratio, SIZE // ratio), seed=4, atoms=atoms)
    assert torch.allclose(pooled(fine.frame(), ratio), coarse.frame(), atol=1e-4)


def test_sizes_that_are_not_a_power_of_two_agree() -> None:
    fine, coarse = WarpedNoise((4, 72, 120), seed=4), WarpedNoise((4, 9, 15), seed=4)
    assert torch.allclose(pooled(fine.frame(), 8), coarse.frame(), atol=1e-4)


@pytest.mark.parametrize("name", ["pan", "turn", "zoom in", "zoom out"])
def test_atoms_on_a_finer_grid_are_its_noise_in_every_frame(name: str) -> None:
    way = WAYS[name](SIZE)
    fine = WarpedNoise((4, SIZE, SIZE), seed=4, maps=2)
    coarse = WarpedNoise((4, SIZE // RATIO, SIZE // RATIO), seed=4, maps=2, grid=(SIZE, SIZE))
    for t in range(8):
        motion = way.motion(t, t + 1)
        expected = pooled(fine.advance(motion), RATIO)
        assert torch.allclose(coarse.advance(motion), expected, atol=1e-5)
    assert torch.allclose(coarse.frame(1), pooled(fine.frame(1), RATIO), atol=1e-5)
    assert abs(coarse.frame(1).var().item() - 1) < 4 * (2 / coarse.frame(1).numel()) ** 0.5


def test_without_it_finer_atoms_agree_better() -> None:
    """After a sub-pixel motion atoms of a quarter of a coarse pixel cannot be just where finer ones are."""
    way = WAYS["pan"](SIZE)
    fine = WarpedNoise((64, SIZE, SIZE), seed=4)
    coarse = {k: WarpedNoise((64, SIZE // RATIO, SIZE // RATIO), seed=4, atoms=k) for k in (1, 2, 4, 8)}
    for t in range(4):
        motion = way.motion(t, t + 1)
        expected = pooled(fine.advance(motion), RATIO)
        agree = [correlation(noise.advance(motion), expected) for noise in coarse.values()]
    assert agree == sorted(agree) and agree[2] > 0.75 and agree[3] > 0.85


@pytest.mark.parametrize("grid", [(12, 12), (16, 32), (8,), (0, 0), (16.0, 16.0), 8])
def test_a_grid_that_does_not_fit_is_named(grid: object) -> None:
    with pytest.raises(ValueError, match="grid must be"):
        WarpedNoise((1, 8, 8), grid=grid)  # type: ignore[arg-type]
