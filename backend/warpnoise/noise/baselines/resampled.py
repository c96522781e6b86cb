"""Methods that look the previous frame's noise up along the backward flow, one vector a noise pixel."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from ..motion import Motion
from .recurrent import RecurrentNoise

THRESHOLD = 0.5
"""Noise pixels per frame: where the flow is at least this long, Control-A-Video draws new noise."""


def backward_flow(motion: Motion, height: int, width: int, device: torch.device) -> Tensor:
    """The displacement, in noise pixels, of each noise pixel's surface point to the previous frame: (height, width, 2).

    It is the vector of the motion pixel that contains the noise pixel's center, because a mean over several surfaces
    would lead to none of them. Values that are not finite are unknown.
    """
    h, w = motion.size
    flow = interpolate(motion.backward.to(device).permute(2, 0, 1)[None], (height, width), mode="nearest-exact")
    return flow[0].permute(1, 2, 0) * torch.tensor([width / w, height / h], device=device)


class InterpolatedNoise(RecurrentNoise):
    """The baselines of section 5 of Chang et al., "How I Warped Your Noise" (ICLR 2024): the previous frame's noise,
    interpolated as if it were an image; uncorrelated noise where the place is unknown or out of the frame.

    A weighted mean of independent values has a variance below 1, and neighbors share values (bilinear, bicubic). The
    nearest pixel's value is taken twice where the picture grows. With the weights w_ij of pixel i at its place, the
    covariance after one step is sum_j w_aj w_bj.
    """

    mode: ClassVar[str]

    def _step(self, motion: Motion, noise: Tensor, white: Tensor) -> Tensor:
        _, height, width = self.shape
        y, x = torch.meshgrid(*(torch.arange(n, device=self.device) for n in (height, width)), indexing="ij")
        source = torch.stack([x, y], dim=-1) + backward_flow(motion, height, width, self.device)
        size = torch.tensor([width, height], dtype=torch.float32, device=self.device)
        inside = ((source >= -0.5) & (source < size - 0.5)).all(dim=-1)  # false for NaN
        # align_corners=False: -1 and 1 are the outer edges of the outermost pixels.
        grid = ((source + 0.5) / size * 2.0 - 1.0).nan_to_num(0.0, 0.0, 0.0).expand(self.maps, -1, -1, -1)
        moved = grid_sample(noise, grid, mode=self.mode, padding_mode="border", align_corners=False)
        return torch.where(inside, moved, white)


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

    def _step(self, motion: Motion, noise: Tensor, white: Tensor) -> Tensor:
        _, height, width = self.shape
        still = backward_flow(motion, height, width, self.device).norm(dim=-1) < THRESHOLD  # false for NaN
        return torch.where(still, noise, white)
