"""Gaussian noise that moves with what a picture shows: arrays and motions in, noise out; no files, no models."""

from .base import NoiseMethod
from .methods import NOISE_METHODS, make_noise
from .motion import Motion
from .warped import WarpedNoise

ALGORITHM_VERSION = 3
"""To be raised when the same seed and motions give other noise than before: finished frames are then made again."""

__all__ = [
    "ALGORITHM_VERSION",
    "NOISE_METHODS",
    "Motion",
    "NoiseMethod",
    "WarpedNoise",
    "make_noise",
]
