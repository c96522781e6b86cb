"""Residual noise: Chen et al., "Control-A-Video" (2023), section 3.3."""

from __future__ import annotations

import torch

from ..motion import Motion
from .recurrent import RecurrentNoise, Step
from .resample import backward_at

THRESHOLD = 0.5  # noise pixels of motion a frame


class ControlAVideoNoise(RecurrentNoise):
    """Pixels where nothing happens keep their noise, the others get fresh noise.

    The paper decides by two images: a pixel gets fresh noise where their difference, of which the largest is taken for
    1, is above a threshold (0.1 in its code). So it also does where only the light changes, and a plain wall that moves
    keeps its noise. Here the motion is known, so a pixel is at rest if what it shows moved by less than half a noise
    pixel. With that mask m the noise is the paper's: n_t = n_(t-1) + m (e_t - n_(t-1)).
    """

    def _prepare(self, motion: Motion) -> Step:
        _, height, width = self.shape
        source = backward_at(motion, height, width, self.device)
        y, x = torch.meshgrid(
            torch.arange(height, device=self.device),
            torch.arange(width, device=self.device),
            indexing="ij",
        )
        still = (source - torch.stack([x, y], dim=-1)).norm(dim=-1) < THRESHOLD  # false for NaN
        return lambda noise, fresh: torch.where(still, noise, fresh)
