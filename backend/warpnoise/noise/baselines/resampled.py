"""Methods that look the previous frame's noise up along the backward motion, one vector a noise pixel."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from ..motion import Motion
from .recurrent import RecurrentNoise, Step

THRESHOLD = 0.5
"""Noise pixels of motion a frame, from which on Control-A-Video draws new noise."""


def centers(height: int, width: int, device: torch.device) -> Tensor:
    """(height, width, 2): x and y of the noise pixels, whose centers are integers."""
    y, x = torch.meshgrid(torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij")
    return torch.stack([x, y], dim=-1)


def previous_places(motion: Motion, height: int, width: int, device: torch.device) -> Tensor:
    """(height, width, 2) float32: the place in the previous frame of the surface point at each noise pixel's center.

    The vector is that of the motion pixel that contains the center, as a mean over several surfaces would lead to none
    of them. NaN: unknown.
    """
    h, w = motion.size
    place = centers(height, width, device)
    column, row = (((place + 0.5) * torch.tensor([w / width, h / height], device=device)).long()).unbind(-1)
    vector = motion.backward.to(device)[row.clamp(max=h - 1), column.clamp(max=w - 1)]
    return place + torch.where(vector.isfinite(), vector, torch.nan) * torch.tensor(
        [width / w, height / h], device=device
    )


class InterpolatedNoise(RecurrentNoise):
    """The baselines of section 5 of Chang et al., "How I Warped Your Noise" (ICLR 2024): the previous frame's noise,
    interpolated as if it were an image; uncorrelated noise where the place is unknown or out of the frame.

    A weighted mean of independent values has a variance below 1, and neighbors share values (bilinear, bicubic). The
    nearest pixel's value is taken twice where the picture grows. With the weights w_ij of pixel i at its place, the
    covariance after one step is sum_j w_aj w_bj.
    """

    mode: ClassVar[str]

    def _step(self, motion: Motion) -> Step:
        _, height, width = self.shape
        source = previous_places(motion, height, width, self.device)
        size = torch.tensor([width, height], dtype=torch.float32, device=self.device)
        inside = ((source >= -0.5) & (source < size - 0.5)).all(dim=-1)  # false for NaN
        # align_corners=False: -1 and 1 are the outer edges of the outermost pixels.
        grid = ((source + 0.5) / size * 2.0 - 1.0).nan_to_num(0.0, 0.0, 0.0)[None]

        def step(noise: Tensor, white: Tensor) -> Tensor:
            moved = grid_sample(noise[None], grid, mode=self.mode, padding_mode="border", align_corners=False)[0]
            return torch.where(inside, moved, white)

        return step


class BilinearNoise(InterpolatedNoise):
    mode = "bilinear"


class BicubicNoise(InterpolatedNoise):
    mode = "bicubic"


class NearestNoise(InterpolatedNoise):
    mode = "nearest"


class ControlAVideoNoise(RecurrentNoise):
    """Residual noise: Chen et al., "Control-A-Video" (2023), section 3.3: n_t = n_(t-1) + m (e_t - n_(t-1)).

    The paper's mask m is 1 where two images differ by more than a threshold, 0.1 of the largest difference in its code:
    also where only the light changes, and not where a plain wall moves. Here the motion is known: m is 1 where a
    pixel's surface point moved by half a noise pixel or more, or by an unknown distance.
    """

    def _step(self, motion: Motion) -> Step:
        _, height, width = self.shape
        moved = previous_places(motion, height, width, self.device) - centers(height, width, self.device)
        still = moved.norm(dim=-1) < THRESHOLD  # false for NaN
        return lambda noise, white: torch.where(still, noise, white)
