"""Noise that belongs to pixels, not to surfaces: new in every frame, or the same in every frame."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..base import NoiseMethod
from ..motion import Motion
from ..philox import philox, split_seed, to_normals


def white_field(shape: tuple[int, int, int], seed: int, frame: int, map_: int, device: torch.device) -> Tensor:
    """Independent N(0, 1) values for a frame and map: (channels, height, width) float32, of the seed alone."""
    channels, height, width = shape
    long: Any = {"dtype": torch.int64, "device": device}
    address = torch.arange(height * width, **long)
    group = torch.arange((channels + 3) // 4, **long)[:, None]
    word = torch.tensor(map_, **long)
    normals = to_normals(philox((address, group, torch.tensor(frame, **long), word), split_seed(seed)))
    return normals.permute(0, 2, 1).reshape(-1, height, width)[:channels].contiguous()


class RandomNoise(NoiseMethod):
    """Fresh noise in every frame: white, and without any memory. The stylized animation flickers."""

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
