"""Decoder-aligned noise: latent noise from white pixel noise, so that the decoder's detail moves with the pixels.

``FilterBank`` holds the patterns of one VAE and projects noise onto them. docs/decoder-aligned-noise.md derives the
method.
"""

from warpnoise.sdedit.filter_bank.bank import FilterBank
from warpnoise.sdedit.filter_bank.response import MeasurementError

__all__ = ["FilterBank", "MeasurementError"]
