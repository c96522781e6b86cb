"""The previous frame's noise, sampled along the backward motion as if it were an image.

These are the baselines of section 5 of Chang et al., "How I Warped Your Noise" (ICLR 2024). A weighted mean of
independent values has a variance below 1, and neighbours share values (bilinear, bicubic). The nearest pixel's value is
used twice where the picture is magnified. With the weights w_ij of pixel i at the sampled point, the covariance after
one step is sum_j w_aj w_bj.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from ..motion import Motion
from .recurrent import RecurrentNoise, Step
from .resample import backward_at


class InterpolatedNoise(RecurrentNoise):
    """Each pixel takes the last frame's noise at the place that it shows; fresh noise where that is unknown or
    outside the last frame."""

    mode: ClassVar[str]

    def _prepare(self, motion: Motion) -> Step:
        _, height, width = self.shape
        source = backward_at(motion, height, width, self.device)  # (height, width, 2), pixels
        size = torch.tensor([width, height], dtype=torch.float32, device=self.device)
        known = torch.isfinite(source).all(dim=-1)
        inside = known & (source >= -0.5).all(dim=-1) & (source < size - 0.5).all(dim=-1)
        # align_corners=False: -1 and 1 are the outer edges of the outermost pixels.
        grid = ((source + 0.5) / size * 2.0 - 1.0).nan_to_num(0.0, 0.0, 0.0)[None]

        def step(noise: Tensor, fresh: Tensor) -> Tensor:
            moved = grid_sample(
                noise[None],
                grid,
                mode=self.mode,
                padding_mode="border",
                align_corners=False,
            )[0]
            return torch.where(inside, moved, fresh)

        return step


class BilinearNoise(InterpolatedNoise):
    mode = "bilinear"


class BicubicNoise(InterpolatedNoise):
    mode = "bicubic"


class NearestNoise(InterpolatedNoise):
    mode = "nearest"
