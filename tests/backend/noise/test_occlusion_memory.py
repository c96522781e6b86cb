"""Rigid surfaces keep their noise while they are occluded or out of the frame."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor
from warpnoise.noise import WarpedNoise
from warpnoise.noise.kernels.types import OCCLUDED

from .cards import Array, Card, motion, shift, surfaces, turn
from .planes import count

SIZE = 40
CHANNELS = 256

Mask = npt.NDArray[np.bool_]


def there_and_back(t: float, frames: int) -> float:
    """0, 1, .. frames / 2, .. 1, 0."""
    return min(t, frames - t)


def kept(now: Tensor, then: Tensor, where: Mask) -> float:
    """The fidelity of pixels that show the same area in both frames: the mean of their products."""
    chosen = torch.from_numpy(where)
    return (now[:, chosen] * then[:, chosen]).mean().item()


def inner(shown: npt.NDArray[np.int32], surface: int) -> Mask:
    """Pixels of a surface that are not on a silhouette, where a part of a pixel may show another surface."""
    own = np.pad(shown == surface, 1, constant_values=True)
    around = [own[dy : dy + SIZE, dx : dx + SIZE] for dy in range(3) for dx in range(3)]
    return np.logical_and.reduce(around)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["pan", "turn"])
def test_surfaces_that_left_the_frame_return_with_their_noise(way: str) -> None:
    """The camera moves away for 16 frames and returns. A card before the background moves with it."""
    frames = 32

    def place(t: float) -> Array:
        steps = there_and_back(t, frames)
        return shift(0.73 * steps, -0.41 * steps) if way == "pan" else turn(2.3 * steps, 19.5, 19.5)

    cards = [Card(0, 0.0, place), Card(7, 0.2, place, (8.3, 10.6, 22.1, 25.4))]
    noise = WarpedNoise((CHANNELS, SIZE, SIZE), seed=3)
    first = noise.frame()
    for t in range(frames):
        now = noise.advance(motion(cards, t, t + 1, SIZE))
        if t == frames // 2 - 1:
            assert count(noise, OCCLUDED) > 0
    everywhere = np.ones((SIZE, SIZE), bool)
    assert kept(now, first, everywhere) >= 0.95
    edge = everywhere.copy()
    edge[4:-4, 4:-4] = False
    assert kept(now, first, edge) >= 0.95


@pytest.mark.slow
def test_occluded_surfaces_return_with_their_noise() -> None:
    """A card occludes parts of a moving background for 16 frames."""
    frames = 40
    cards = [
        Card(0, 0.0, lambda t: shift(0.37 * there_and_back(t, frames), 0.0)),
        Card(7, 0.2, lambda t: shift(1.5 * t, 0.1 * t), (-24.0, 8.0, 0.0, 30.0)),
    ]
    noise = WarpedNoise((CHANNELS, SIZE, SIZE), seed=4)
    first = noise.frame()
    times = np.zeros((SIZE, SIZE), int)
    for t in range(frames):
        now = noise.advance(motion(cards, t, t + 1, SIZE))
        times += surfaces(cards, t + 1, SIZE) == 7
    back = inner(surfaces(cards, frames, SIZE), 0) & (surfaces(cards, 0, SIZE) == 0) & (times >= 12)
    assert back.sum() > 200
    assert kept(now, first, back) >= 0.95


def test_a_card_that_passes_behind_another_keeps_its_noise() -> None:
    """A still card occludes all of it. In the end, it has moved by a whole number of pixels."""
    frames = 24
    cards = [
        Card(0, 0.0, lambda t: shift(0, 0)),
        Card(5, 0.1, lambda t: turn(15 * t, 5.5 + t, 19.5) @ shift(t, 0), (0.0, 14.0, 11.0, 25.0)),
        Card(9, 0.3, lambda t: shift(0, 0), (11.5, 4.5, 27.5, 35.5)),
    ]
    noise = WarpedNoise((CHANNELS, SIZE, SIZE), seed=5)
    first = noise.frame()
    occluded = 0
    for t in range(frames):
        now = noise.advance(motion(cards, t, t + 1, SIZE))
        occluded += not (surfaces(cards, t + 1, SIZE) == 5).any()
    assert occluded >= 2
    before, after = (inner(surfaces(cards, t, SIZE), 5) for t in (0, frames))
    both = before & np.roll(after, -frames, axis=1)
    assert both.sum() > 40
    assert kept(torch.roll(now, -frames, dims=2), first, both) >= 0.95
    wall = inner(surfaces(cards, frames, SIZE), 0) & inner(surfaces(cards, 0, SIZE), 5)
    assert wall.sum() > 60 and abs(kept(now, first, wall)) < 0.05


def test_occluded_deforming_surfaces_lose_their_noise() -> None:
    """A transform that disagrees with the flow of visible pixels is not used for occluded ones either."""
    frames = 16
    cards = [Card(0, 0.0, lambda t: shift(1.2 * there_and_back(t, frames), 0.0))]
    noise = WarpedNoise((CHANNELS, SIZE, SIZE), seed=6)
    first = noise.frame()
    for t in range(frames):
        step = motion(cards, t, t + 1, SIZE)
        step.transforms[0][0, 3] += 3  # type: ignore[index]
        now = noise.advance(step)
    assert count(noise, OCCLUDED) == 0
    left = np.zeros((SIZE, SIZE), bool)
    left[:, -8:] = True
    assert abs(kept(now, first, left)) < 0.05
    left[:] = False
    left[:, :-12] = True
    assert kept(now, first, left) > 0.95
