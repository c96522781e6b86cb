"""The latent model's autoencoder: 16 channels, 4 x 4 pixels a cell."""

from __future__ import annotations

from diffusers import AutoencoderTiny

LATENT_CHANNELS = 16
CELL = 4
"""Pixels on a side of a latent."""


def make_autoencoder(width: int = 32) -> AutoencoderTiny:
    """A small convolutional autoencoder, without norms over the picture: what it paints depends on its neighborhood
    alone, so that any size works and a shift by whole cells shifts the result.

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
