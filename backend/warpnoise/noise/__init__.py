"""Gaussian noise that moves with a scene's surfaces. It takes arrays and motions, and knows no files and no models.

Importing the package and its registry (:data:`METHODS`) does not load torch; the first use of a class does.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .methods import MAX_CHANNELS, MAX_MAPS, METHODS, NOISE_METHODS, MethodInfo, make_noise

if TYPE_CHECKING:
    from .base import NoiseMethod
    from .motion import Motion
    from .warped import WarpedNoise

ALGORITHM_VERSION = 8
"""Bump when the noise for a given seed and motion changes; cached frames are then invalidated."""

__all__ = [
    "ALGORITHM_VERSION",
    "MAX_CHANNELS",
    "MAX_MAPS",
    "METHODS",
    "NOISE_METHODS",
    "MethodInfo",
    "Motion",
    "NoiseMethod",
    "WarpedNoise",
    "make_noise",
]

_LAZY = {"Motion": "motion", "NoiseMethod": "base", "WarpedNoise": "warped"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
