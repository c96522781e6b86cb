"""Small decoders with random weights from a fixed seed."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Decode = Callable[[Tensor], Tensor]


def random_decoder(channels: int, cell: int) -> Decode:
    """A convolution with a nonlinearity, then smooth patterns of 2 x 2 cells."""
    generator = torch.Generator().manual_seed(channels * 64 + cell)
    mix = torch.randn((channels, channels, 3, 3), generator=generator) * 0.1 / channels**0.5
    mix[:, :, 1, 1] += torch.eye(channels)
    coarse = torch.randn((channels, 3, 8, 8), generator=generator)
    patterns = F.interpolate(coarse, size=(2 * cell, 2 * cell), mode="bilinear", align_corners=False) / cell

    def decode(latents: Tensor) -> Tensor:
        hidden = F.conv2d(latents, mix, padding=1)
        return F.conv_transpose2d(torch.tanh(hidden / 3) * 3, patterns, stride=cell, padding=cell // 2)

    return decode


def pixel_decoder(latents: Tensor) -> Tensor:
    """12 channels, cells of 2 x 2 pixels: the latents are the pixels."""
    return torch.pixel_shuffle(latents, 2)
