"""Tests whether noise is white as in training: variance 1, and no correlation between neighbouring pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Steps down and to the right; the opposite ones have the same correlation."""

_WHITE_VARIANCE = 0.05
_WHITE_CORRELATION = 0.02


@dataclass(frozen=True)
class Whiteness:
    """Means over a sequence. ``variance``: 1 is right. ``correlation``: root mean square of that of neighbouring
    pixels, the diagonal ones included; white noise has 0 up to about 1 / sqrt(number of values)."""

    variance: float
    correlation: float

    @property
    def is_white(self) -> bool:
        """Both within what the finite number of pixels and a model would not notice."""
        return abs(self.variance - 1) < _WHITE_VARIANCE and self.correlation < _WHITE_CORRELATION


class WhitenessMeter:
    """Takes a sequence of noises, (channels, h, w) float32 each."""

    def __init__(self) -> None:
        self._variances: list[float] = []
        self._correlations: list[list[float]] = []

    def add(self, noise: npt.NDArray[np.float32]) -> None:
        variance = float(np.square(noise, dtype=np.float64).mean())
        self._variances.append(variance)
        self._correlations.append([_covariance(noise, *step) / variance if variance else 1.0 for step in _NEIGHBOURS])

    def result(self) -> Whiteness:
        """Of the frames so far. Raises ValueError if there are none."""
        if not self._variances:
            raise ValueError("expected at least one frame, got none")
        correlation = np.mean(self._correlations, axis=0)
        return Whiteness(float(np.mean(self._variances)), float(np.sqrt(np.square(correlation).mean())))


def _covariance(noise: npt.NDArray[np.float32], down: int, right: int) -> float:
    """Mean product of values ``down`` and ``right`` of each other; the noise's mean is 0 by definition."""
    height, width = noise.shape[1:]
    a = noise[:, : height - down, max(-right, 0) : width - max(right, 0)]
    b = noise[:, down:, max(right, 0) : width - max(-right, 0)]
    return float(np.multiply(a, b, dtype=np.float64).mean()) if a.size else 0.0
