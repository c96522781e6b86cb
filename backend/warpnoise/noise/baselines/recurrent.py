"""Methods that make each frame's noise from the previous frame's and from uncorrelated noise."""

from __future__ import annotations

import math
from abc import abstractmethod

import numpy as np
import torch
from torch import Tensor

from ..base import NoiseMethod
from ..motion import Motion

SHARED = 0xFFFFFFFF
"""In place of a frame: the noise that all frames share."""


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
