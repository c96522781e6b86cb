"""Decoder-aligned noise: latent noise read off white pixel noise, so that the decoder paints it where the pixels move.

``FilterBank`` holds the patterns of one VAE and projects with them. docs/decoder-aligned-noise.md derives the method.
"""

from warpnoise.sdedit.filter_bank.bank import FilterBank
from warpnoise.sdedit.filter_bank.response import MeasurementError

__all__ = ["FilterBank", "MeasurementError"]
