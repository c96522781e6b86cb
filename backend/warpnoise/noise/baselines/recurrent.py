"""Methods that make each frame's noise from the previous frame's and from uncorrelated noise."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from ..base import NoiseMethod
from ..engine import engine_for
from ..kernels.compile import kernel
from ..kernels.random import normals
from ..kernels.types import Array, u64
from ..motion import Motion

Step = Callable[[Tensor, Tensor], Tensor]
"""(n_(t-1), e_t) -> n_t: from the previous frame's noise and uncorrelated noise, both (channels, height, width)."""

SHARED = -1 & 0xFFFFFFFF
"""In place of a frame: the field that all frames share."""


@kernel
def draw(n: int, frame: int, map_: int, k0: int, k1: int, field: Array) -> None:
    """Four channels of a pixel: n is group * pixels + pixel; ``field`` is (groups, 4, pixels)."""
    pixels = field.shape[2]
    group, pixel = n // pixels, n % pixels
    z0, z1, z2, z3 = normals(u64(pixel), u64(group), u64(frame), u64(map_), k0, k1)
    field[group, 0, pixel], field[group, 1, pixel] = z0, z1
    field[group, 2, pixel], field[group, 3, pixel] = z2, z3


class RecurrentNoise(NoiseMethod):
    """Base of the methods whose state is the frame's noise itself, for each map."""

    def __init__(
        self, shape: tuple[int, int, int], seed: int = 0, device: str | torch.device = "cpu", maps: int = 1
    ) -> None:
        super().__init__(shape, seed, device, maps)
        self._noise = [self._white(0, map_) for map_ in range(self.maps)]

    def _white(self, frame: int, map_: int) -> Tensor:
        """e_t, independent N(0, 1) values: (channels, height, width) float32, of the seed, frame and map alone."""
        channels, height, width = self.shape
        engine, groups = engine_for(self.device, None), (channels + 3) // 4
        field = torch.empty((groups, 4, height * width), device=engine.device)
        k0, k1 = u64(self.seed & 0xFFFFFFFF), u64((self.seed >> 32) & 0xFFFFFFFF)
        engine.run(draw, groups * height * width, frame, map_, k0, k1, field, cost=4)
        return field.view(-1, height, width)[:channels].to(self.device).contiguous()

    def _frame(self, map: int) -> Tensor:  # noqa: A002
        return self._noise[map].clone()

    def _advance(self, motion: Motion) -> None:
        step, frame = self._step(motion), self.frame_index + 1
        self._noise = [step(noise, self._white(frame, map_)) for map_, noise in enumerate(self._noise)]

    @abstractmethod
    def _step(self, motion: Motion) -> Step:
        """The step to the next frame, the same for every map."""


class RandomNoise(RecurrentNoise):
    """Uncorrelated noise in every frame: white, and without memory. The stylized animation flickers."""

    def _step(self, motion: Motion) -> Step:
        return lambda noise, white: white


class FixedNoise(RecurrentNoise):
    """The first frame's noise in every frame: white, but it sticks to the screen while the scene moves below."""

    def _step(self, motion: Motion) -> Step:
        return lambda noise, white: noise


class PyocoMixedNoise(RecurrentNoise):
    """Ge et al., "Preserve Your Own Correlation" (ICCV 2023), section 4.2, with their alpha: n_t = (alpha s + e_t) /
    sqrt(1 + alpha^2), s being shared by all frames. The same pixel of two frames has correlation alpha^2 / (1 +
    alpha^2)."""

    ALPHA = 1.0

    def _white(self, frame: int, map_: int) -> Tensor:
        shared, own = super()._white(SHARED, map_), super()._white(frame, map_)
        return (self.ALPHA * shared + own) / math.sqrt(1.0 + self.ALPHA**2)

    def _step(self, motion: Motion) -> Step:
        return lambda noise, mixed: mixed


class PyocoProgressiveNoise(RecurrentNoise):
    """The same, from frame to frame: n_t = (alpha n_(t-1) + e_t) / sqrt(1 + alpha^2). The same pixel of frames that are
    m apart has correlation (alpha^2 / (1 + alpha^2))^(m / 2)."""

    ALPHA = 2.0

    def _step(self, motion: Motion) -> Step:
        return lambda noise, white: (self.ALPHA * noise + white) / math.sqrt(1.0 + self.ALPHA**2)
