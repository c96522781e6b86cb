"""The latent model: an autoencoder of 16 channels, 4 x 4 pixels a cell, and a denoiser in its latents."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import AutoencoderTiny, UNet2DModel
from torch.nn import functional

from training.network import make_unet

LATENT_CHANNELS = 16
CELL = 4
"""Pixels on a side of a latent."""


def make_autoencoder(width: int = 32) -> AutoencoderTiny:
    """A small convolutional autoencoder without norms over the picture. Its output depends only on the neighborhood, so
    any size works, and a shift by whole cells shifts the result.

    Cells are small: motions of whole cells are common then, and the latents keep a third of a picture's values, which
    lets noise commute with shifts between cells (docs/decoder-aligned-noise.md).
    """
    return AutoencoderTiny(
        latent_channels=LATENT_CHANNELS,
        encoder_block_out_channels=(width,) * 3,
        decoder_block_out_channels=(width,) * 3,
        num_encoder_blocks=(0, 1, 2),
        num_decoder_blocks=(2, 1, 0),
    )


def make_latent_unet(channels: tuple[int, ...] = (64, 128, 192)) -> UNet2DModel:
    """`training.network.make_unet` for latents. The inputs are the noisy latents, those of the frame, and the means of
    the geometry over cells."""
    return make_unet(channels, planes=LATENT_CHANNELS, crop=24)


class Latents:
    """Encodes batches with a trained autoencoder.

    Raises:
        SystemExit: there is none.
    """

    def __init__(self, folder: Path, device: torch.device) -> None:
        if not (folder / "config.json").exists():
            raise SystemExit(f"{folder}: no autoencoder there; train it first (python -m training.train_autoencoder)")
        loaded = AutoencoderTiny.from_pretrained(folder, use_safetensors=True)
        self.network = loaded.to(device).eval().requires_grad_(False)

    @torch.no_grad()
    def encode(self, pictures: torch.Tensor) -> torch.Tensor:
        """(b, 3, h, w) in [-1, 1] to (b, LATENT_CHANNELS, h / CELL, w / CELL)."""
        latents: torch.Tensor = self.network.encode(pictures).latents
        return latents

    def pool(self, geometry: torch.Tensor) -> torch.Tensor:
        """(b, c, h, w) to (b, c, h / CELL, w / CELL)."""
        return functional.avg_pool2d(geometry, CELL)
