"""Methods that make each frame's noise from the previous frame's and from uncorrelated noise."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from ..base import NoiseMethod
from ..motion import Motion

SHARED = 0xFFFFFFFF
"""In place of a frame: the noise that all frames share."""
THRESHOLD = 0.5
"""Noise pixels per frame: where the flow is at least this long, Control-A-Video draws new noise."""


class RecurrentNoise(NoiseMethod):
    """Base of the methods whose state is the noise of the current frame: (maps, channels, height, width)."""

    def __init__(
        self, shape: tuple[int, int, int], seed: int = 0, device: str | torch.device = "cpu", maps: int = 1
    ) -> None:
        super().__init__(shape, seed, device, maps)
        self._noise = self._white(0)

    def _white(self, frame: int) -> Tensor:
        """e_t: independent N(0, 1) values, (maps, channels, height, width) float32."""
        generator = np.random.default_rng((frame, self.seed % 2**64))
        return torch.from_numpy(generator.standard_normal((self.maps, *self.shape), np.float32)).to(self.device)

    def _frame(self, map: int) -> Tensor:  # noqa: A002
        return self._noise[map].clone()

    def _advance(self, motion: Motion) -> None:
        self._noise = self._step(motion, self._noise, self._white(self.frame_index + 1))

    @abstractmethod
    def _step(self, motion: Motion, noise: Tensor, white: Tensor) -> Tensor:
        """n_t, from the motion, n_(t-1) and e_t, all of (maps, channels, height, width)."""


class RandomNoise(RecurrentNoise):
    """Uncorrelated noise in every frame: white, and without memory. The stylized animation flickers."""

    def _step(self, motion: Motion, noise: Tensor, white: Tensor) -> Tensor:
        return white


class FixedNoise(RecurrentNoise):
    """The first frame's noise in every frame: white, but it sticks to the screen while the scene moves below."""

    def _step(self, motion: Motion, noise: Tensor, white: Tensor) -> Tensor:
        return noise


class PyocoMixedNoise(RandomNoise):
    """Ge et al., "Preserve Your Own Correlation" (ICCV 2023), section 4.2, with their alpha: n_t = (alpha s + e_t) /
    sqrt(1 + alpha^2), s being shared by all frames. The same pixel of two frames has correlation alpha^2 / (1 +
    alpha^2)."""

    ALPHA = 1.0

    def _white(self, frame: int) -> Tensor:
        return (self.ALPHA * super()._white(SHARED) + super()._white(frame)) / math.sqrt(1.0 + self.ALPHA**2)


class PyocoProgressiveNoise(RecurrentNoise):
    """The same, from frame to frame: n_t = (alpha n_(t-1) + e_t) / sqrt(1 + alpha^2). The same pixel of frames that are
    m apart has correlation (alpha^2 / (1 + alpha^2))^(m / 2)."""

    ALPHA = 2.0

    def _step(self, motion: Motion, noise: Tensor, white: Tensor) -> Tensor:
        return (self.ALPHA * noise + white) / math.sqrt(1.0 + self.ALPHA**2)


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
