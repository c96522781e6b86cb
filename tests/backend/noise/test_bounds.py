"""Memory stays bounded in long shots, and noise maps are independent but move alike."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from warpnoise.noise import Motion, WarpedNoise
from warpnoise.noise.kernels.types import OCCLUDED, VISIBLE

from .planes import WAYS, count

pytestmark = pytest.mark.slow

SIZE = 16
FRAMES = {"pan": 1000, "zoom in": 1000, "zoom out": 1000, "turn": 1000, "random": 1000, "there and back": 240}
MOST_PARTICLES = 8 * 16 * SIZE * SIZE  # eight times those of the first frame
MOST_OCCLUDED = 16 * SIZE * SIZE
MOST_BYTES = (32 + 4 * 4 + 16) * MOST_PARTICLES * 5 // 4 + 64 * MOST_OCCLUDED
"""A particle's columns, its values for four channels and its entry as an occluded one, with a quarter to spare."""


def there_and_back(frame: int) -> Motion:
    """The camera moves 40 pixels to the side and back before a wall that has a transform."""
    step = 0.7 if frame % 120 < 60 else -0.7
    vectors = np.broadcast_to(np.array([step, 0], np.float32), (SIZE, SIZE, 2)).copy()
    surface, depth = np.ones((SIZE, SIZE), np.int32), np.full((SIZE, SIZE), 0.2, np.float32)
    transform = np.eye(4)
    transform[0, 3] = step
    pairs = {"surface_old": surface, "surface_new": surface, "depth_old": depth, "depth_new": depth}
    return Motion(vectors, -vectors, **pairs, transforms={1: transform})


def any_motion(kind: str, frame: int) -> Motion:
    if kind == "there and back":
        return there_and_back(frame)
    if kind == "random":
        vectors = np.random.default_rng(frame).normal(0, 3, (SIZE, SIZE, 2)).astype(np.float32)
        return Motion(vectors, -vectors)
    return WAYS[kind](SIZE).motion(0, 1)


@pytest.mark.parametrize("kind", FRAMES)
def test_memory_is_bounded_however_long_the_shot(kind: str) -> None:
    noise = WarpedNoise((4, SIZE, SIZE), seed=31)
    early = late = 0
    for frame in range(FRAMES[kind]):
        noise.advance(any_motion(kind, frame))
        assert count(noise, VISIBLE) <= MOST_PARTICLES and count(noise, OCCLUDED) <= MOST_OCCLUDED
        assert noise.bytes <= MOST_BYTES
        if frame < FRAMES[kind] // 2:
            early = max(early, noise.bytes)
        else:
            late = max(late, noise.bytes)
    assert late <= 1.25 * early, f"{early} bytes in the first half of the shot, {late} in the second"
    assert torch.isfinite(noise.frame()).all()


def test_maps_are_independent_and_move_alike() -> None:
    maps = 21
    noise = WarpedNoise((64, SIZE, SIZE), seed=32, maps=maps)
    alone = WarpedNoise((64, SIZE, SIZE), seed=32)
    way = WAYS["pan"](SIZE)
    first = torch.stack([noise.frame(map_) for map_ in range(maps)])
    for frame in range(6):
        assert torch.equal(noise.advance(way.motion(frame, frame + 1)), alone.advance(way.motion(frame, frame + 1)))
    now = torch.stack([noise.frame(map_) for map_ in range(maps)])
    for field in (first, now):
        flat = field.flatten(1).double()
        covariance = flat @ flat.T / flat.shape[1]
        error = flat.shape[1] ** -0.5
        assert (covariance.diagonal() - 1).abs().max().item() < 4 * 2**0.5 * error
        assert (covariance - torch.diag(covariance.diagonal())).abs().max().item() < 4.5 * error  # of 210
    # Six steps of (0.37, 0.21) are (2.22, 1.26) pixels: every map has 0.78 * 0.74 of its own pixel (2, 1) away.
    products = (now[:, :, 1:, 2:] * first[:, :, :-1, :-2]).flatten(1).double().mean(dim=1)
    samples = now[0, :, 1:, 2:].numel()
    assert (products - 0.78 * 0.74).abs().max().item() < 0.02 + 4.5 * samples**-0.5
