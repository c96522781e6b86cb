"""The noises of different surfaces are uncorrelated, and disoccluded pixels correlate with no earlier frame."""

from __future__ import annotations

import pytest
import torch
from scipy import stats
from torch import Tensor
from warpnoise.noise import WarpedNoise

from .occlusion import Occlusion

CHANNELS = 1800
FRAMES = 7


def assert_uncorrelated(now: Tensor, then: Tensor, what: str) -> None:
    """Asserts that all covariances of two groups of pixels, (channels, n) and (channels, m), are 0.

    The mean must be within 4 standard errors, which a random one exceeds once in 16,000 times. The largest must be
    within what the largest of as many exceeds as seldom.
    """
    channels = len(now)
    covariance = now.double().T @ then.double() / channels
    error = channels**-0.5
    assert abs(covariance.mean().item()) < 4 * error / covariance.numel() ** 0.5, what
    assert covariance.abs().max().item() < error * stats.norm.isf(3.2e-5 / covariance.numel()), what


@pytest.mark.slow
@pytest.mark.parametrize("surfaces", [True, False], ids=["surfaces", "flow alone"])
def test_surfaces_on_both_sides_of_a_silhouette_are_uncorrelated(surfaces: bool) -> None:
    """A card moves by 1.3 pixels per frame before a still wall."""
    scene = Occlusion()
    noise = WarpedNoise((CHANNELS, scene.size, scene.size), seed=2)
    frames = [noise.frame()]
    for t in range(FRAMES):
        frames.append(noise.advance(scene.motion(t, surfaces=surfaces)))
    for t in (1, 4, FRAMES):
        # Flow alone does not determine where in a silhouette's pixel the other surface begins.
        edge = torch.zeros_like(scene.card(0)) if surfaces else scene.silhouette(t)
        card, wall = scene.card(t) & ~edge, ~scene.card(t) & ~edge
        for s in range(t):
            other_edge = torch.zeros_like(edge) if surfaces else scene.silhouette(s)
            was_card, was_wall = scene.card(s) & ~other_edge, ~scene.card(s) & ~other_edge
            assert_uncorrelated(frames[t][:, card], frames[s][:, was_wall], f"the card in frame {t}, the wall in {s}")
            assert_uncorrelated(frames[t][:, wall], frames[s][:, was_card], f"the wall in frame {t}, the card in {s}")


@pytest.mark.parametrize("surfaces", [True, False], ids=["surfaces", "flow alone"])
def test_disoccluded_pixels_get_new_noise(surfaces: bool) -> None:
    """The wall behind the card was never visible, and has no transform."""
    scene = Occlusion(left=2.0, width=9.0)
    noise = WarpedNoise((CHANNELS, scene.size, scene.size), seed=4)
    frames = [noise.frame()]
    for t in range(1, FRAMES + 1):
        frames.append(noise.advance(scene.motion(t - 1, surfaces=surfaces)))
        new = scene.disoccluded(t) & ~(torch.zeros_like(scene.card(0)) if surfaces else scene.silhouette(t))
        for s in range(t):
            if new.any():
                assert_uncorrelated(frames[t][:, new], frames[s].flatten(1), f"new in frame {t}, frame {s}")
