"""Integral noise made from the previous frame's pixels, which is the published method. It forgets earlier frames.

Chang et al., "How I Warped Your Noise" (ICLR 2024), eq. 3: a pixel's value x is refined into N parts of equal area,
conditionally on their sum, x / N + sqrt(1 / N) (z_i - mean z). Deng et al., "Infinite-Resolution Integral Noise
Warping" (ICLR 2025): the parts are particles that move along the motion, and a new pixel is the sum of those that land
in it, divided by the square root of their area (eq. 5 of the former). Because the refinement is drawn again for every
frame, the position inside its pixel from which a value came is lost after a step.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..motion import Motion
from .recurrent import RecurrentNoise, Step

SIDE = 4  # particles on a pixel's side
PARTICLES = SIDE * SIDE


class ChainedNoise(RecurrentNoise):
    """Each frame from the previous one by k x k jittered particles a pixel: white, and faithful for one step."""

    def _step(self, motion: Motion) -> Step:
        channels, height, width = self.shape
        pixels = height * width
        generator = torch.Generator(self.device)
        generator.manual_seed((self.seed * 0x9E3779B97F4A7C15 + self.frame_index) & (2**63 - 1))
        # (pixels * PARTICLES,): the pixel in which each lands, or `pixels`: nowhere
        target = self._targets(motion, generator)
        lengths = torch.bincount(target, minlength=pixels + 1)
        order = torch.argsort(target, stable=True)[: int(lengths[:pixels].sum())]
        area = lengths[:pixels].to(torch.float32) / PARTICLES

        def step(noise: Tensor, white: Tensor) -> Tensor:
            x = noise.reshape(channels, pixels).T[:, None, :]
            z = torch.randn((pixels, PARTICLES, channels), generator=generator, device=self.device)
            parts = x / PARTICLES + (z - z.mean(dim=1, keepdim=True)) * PARTICLES**-0.5
            landed = parts.reshape(-1, channels)[order]
            sums = torch.segment_reduce(landed, "sum", lengths=lengths[:pixels])
            moved = (sums / torch.sqrt(area)[:, None]).T.reshape(self.shape)
            return torch.where((area > 0).reshape(height, width), moved, white)

        return step

    def _targets(self, motion: Motion, generator: torch.Generator) -> Tensor:
        _, height, width = self.shape
        particle = torch.arange(height * width * PARTICLES, device=self.device)
        across, down = torch.rand((2, len(particle)), generator=generator, device=self.device)
        pixel, part = particle // PARTICLES, particle % PARTICLES
        x = (pixel % width) + (part % SIDE + across) / SIDE
        y = (pixel // width) + (part // SIDE + down) / SIDE
        h, w = motion.size
        sx, sy = w / width, h / height
        forward = motion.forward.to(self.device)
        i = (x * sx).to(torch.int64).clamp(0, w - 1)
        j = (y * sy).to(torch.int64).clamp(0, h - 1)
        vector = _bilinear(forward, x * sx - 0.5, y * sy - 0.5)
        vector = torch.where(torch.isfinite(vector).all(dim=1, keepdim=True), vector, forward[j, i])
        x, y = x + vector[:, 0] / sx, y + vector[:, 1] / sy
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)  # false for NaN
        x, y = torch.where(inside, x, 0.0), torch.where(inside, y, 0.0)
        return torch.where(inside, y.to(torch.int64) * width + x.to(torch.int64), height * width)


def _bilinear(field: Tensor, x: Tensor, y: Tensor) -> Tensor:
    h, w, _ = field.shape
    left, top = (
        torch.floor(x).clamp(0, max(w - 2, 0)),
        torch.floor(y).clamp(0, max(h - 2, 0)),
    )
    tx, ty = (x - left)[:, None], (y - top)[:, None]
    i, j = left.to(torch.int64), top.to(torch.int64)
    right, bottom = (i + 1).clamp(max=w - 1), (j + 1).clamp(max=h - 1)
    upper = field[j, i] * (1 - tx) + field[j, right] * tx
    lower = field[bottom, i] * (1 - tx) + field[bottom, right] * tx
    return upper * (1 - ty) + lower * ty
