"""The tiny autoencoder of FLUX.2's latent space by Ollin Boer Bohan (MIT), from one safetensors file of both halves.

It is not part of the project. Tests take its path from the environment variable WARPNOISE_TEST_AUTOENCODER and are
skipped without it.
"""

from __future__ import annotations

import os
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

VARIABLE = "WARPNOISE_TEST_AUTOENCODER"
CHANNELS = 32
CELL = 8
_DEVIATION = 0.82  # of its latents


def autoencoder_path() -> Path | None:
    return Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None


class TinyAutoencoder(nn.Module):
    """(b, 3, 8 H, 8 W) pictures in [0, 1] to (b, 32, H, W) latents of unit variance, and back."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.encoder = nn.Sequential(_conv(3, 64), _Block(), *_half(), *_half(), *_half(pool=True), _conv(64, 32))
        self.decoder = nn.Sequential(
            _Clamp(), _conv(32, 64), nn.ReLU(), *_double(pool=True), *_double(), *_double(), _Block(), _conv(64, 3)
        )  # fmt: skip
        self.load_state_dict({key: value.float() for key, value in load_file(path).items()})
        self.eval().requires_grad_(False)

    def encode(self, pictures: Tensor) -> Tensor:
        latents: Tensor = self.encoder(pictures) / _DEVIATION
        return latents

    def decode(self, latents: Tensor) -> Tensor:
        pictures: Tensor = self.decoder(latents * _DEVIATION)
        return pictures


class _Block(nn.Module):
    def __init__(self, pool: bool = False) -> None:
        super().__init__()
        self.conv = nn.Sequential(_conv(64, 64), nn.ReLU(), _conv(64, 64), nn.ReLU(), _conv(64, 64))
        self.pool = (
            nn.Sequential(
                nn.Conv2d(64, 256, 1, bias=False), nn.GroupNorm(4, 256), nn.ReLU(), nn.Conv2d(256, 64, 1, bias=False)
            )
            if pool
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        if self.pool is not None:
            x = x + self.pool(x)
        return torch.relu(self.conv(x) + x)


class _Clamp(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x / 3) * 3


def _conv(channels: int, out: int) -> nn.Conv2d:
    return nn.Conv2d(channels, out, 3, padding=1)


def _down() -> nn.Conv2d:
    return nn.Conv2d(64, 64, 3, stride=2, padding=1, bias=False)


def _half(pool: bool = False) -> list[nn.Module]:
    return [_down(), *(_Block(pool) for _ in range(3))]


def _double(pool: bool = False) -> list[nn.Module]:
    blocks = [_Block(pool) for _ in range(3)]
    return [*blocks, nn.Upsample(scale_factor=2), nn.Conv2d(64, 64, 3, padding=1, bias=False)]
