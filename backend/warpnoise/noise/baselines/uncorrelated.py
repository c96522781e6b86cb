"""Noise that does not depend on the motion: new in every frame, or the same in every frame."""

from __future__ import annotations

import torch
from torch import Tensor

from ..base import NoiseMethod
from ..engine import engine_for
from ..kernels.compile import kernel
from ..kernels.random import normals, split_seed
from ..kernels.types import Array, u64
from ..motion import Motion


@kernel
def draw(n: int, frame: int, map_: int, k0: int, k1: int, field: Array) -> None:
    """Four channels of a pixel: n is group * pixels + pixel; ``field`` is (groups, 4, pixels)."""
    pixels = field.shape[2]
    group, pixel = n // pixels, n % pixels
    z0, z1, z2, z3 = normals(u64(pixel), u64(group), u64(frame), u64(map_), k0, k1)
    field[group, 0, pixel], field[group, 1, pixel] = z0, z1
    field[group, 2, pixel], field[group, 3, pixel] = z2, z3


def white_field(shape: tuple[int, int, int], seed: int, frame: int, map_: int, device: torch.device) -> Tensor:
    """Independent N(0, 1) values for a frame and map: (channels, height, width) float32, of the seed alone."""
    channels, height, width = shape
    engine = engine_for(device, None)
    groups = (channels + 3) // 4
    field = torch.empty((groups, 4, height * width), device=engine.device)
    k0, k1 = (u64(half) for half in split_seed(seed))
    engine.run(draw, groups * height * width, frame, map_, k0, k1, field, cost=4)
    return field.view(-1, height, width)[:channels].to(device).contiguous()


class RandomNoise(NoiseMethod):
    """Uncorrelated noise in every frame: white, and without memory. The stylized animation flickers."""

    def _advance(self, motion: Motion) -> None:
        pass

    def _frame(self, map: int) -> Tensor:  # noqa: A002
        return white_field(self.shape, self.seed, self.frame_index, map, self.device)


class FixedNoise(NoiseMethod):
    """The first frame's noise in every frame: white, but it sticks to the screen while the scene moves below."""

    def _advance(self, motion: Motion) -> None:
        pass

    def _frame(self, map: int) -> Tensor:  # noqa: A002
        return white_field(self.shape, self.seed, 0, map, self.device)
