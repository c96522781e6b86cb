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
from torch.nn.functional import grid_sample

from ..motion import Motion
from .recurrent import RecurrentNoise

SIDE = 4
PARTICLES = SIDE * SIDE
"""Particles of a pixel, SIDE along each of its sides."""


class ChainedNoise(RecurrentNoise):
    """Each frame from the previous one by k x k jittered particles a pixel: white, and faithful for one step."""

    def _step(self, motion: Motion, noise: Tensor, white: Tensor) -> Tensor:
        channels, height, width = self.shape
        pixels = height * width
        generator = torch.Generator(self.device)
        generator.manual_seed((self.seed * 0x9E3779B97F4A7C15 + self.frame_index) & (2**63 - 1))
        target = self._targets(motion, generator)
        lengths = torch.bincount(target, minlength=pixels + 1)[:pixels]
        order = torch.argsort(target, stable=True)[: int(lengths.sum())]
        area = lengths.to(torch.float32)[:, None] / PARTICLES
        result = torch.empty_like(noise)
        for map_, x in enumerate(noise.reshape(self.maps, channels, pixels, 1)):
            z = torch.randn((pixels, PARTICLES, channels), generator=generator, device=self.device)
            parts = x.permute(1, 2, 0) / PARTICLES + (z - z.mean(dim=1, keepdim=True)) * PARTICLES**-0.5
            sums = torch.segment_reduce(parts.reshape(-1, channels)[order], "sum", lengths=lengths)
            result[map_] = (sums / torch.sqrt(area)).T.reshape(self.shape)
        return torch.where((area > 0).reshape(height, width), result, white)

    def _targets(self, motion: Motion, generator: torch.Generator) -> Tensor:
        """The pixel, row-major, in which each particle lands: (pixels * PARTICLES,) int64; ``pixels``: none."""
        _, height, width = self.shape
        particle = torch.arange(height * width * PARTICLES, device=self.device)
        pixel, part = particle // PARTICLES, particle % PARTICLES
        corner = torch.stack([pixel % width, pixel // width], dim=-1)
        stratum = torch.stack([part % SIDE, part // SIDE], dim=-1)
        place = corner + (stratum + torch.rand(stratum.shape, generator=generator, device=self.device)) / SIDE
        size = torch.tensor([width, height], device=self.device)
        flow, grid = motion.forward.to(self.device).permute(2, 0, 1)[None], (place / size * 2 - 1)[None, None]
        vector, of_pixel = (
            grid_sample(flow, grid, mode=mode, padding_mode="border", align_corners=False)[0, :, 0].T
            for mode in ("bilinear", "nearest")
        )
        vector = torch.where(vector.isfinite().all(dim=1, keepdim=True), vector, of_pixel)
        place = place + vector * size / torch.tensor(motion.size[::-1], device=self.device)
        inside = ((place >= 0) & (place < size)).all(dim=1)  # false for NaN
        x, y = torch.where(inside[:, None], place, 0.0).to(torch.int64).unbind(-1)
        return torch.where(inside, y * width + x, height * width)
