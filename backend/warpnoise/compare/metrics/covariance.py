"""Statistics of noise: whiteness and fidelity.

A model is trained on white noise, which has variance 1 and no correlation between neighbouring pixels. Fidelity is the
share of the covariance of exact noise that a method's noise has.

The noise of a pixel is white noise integrated over the area A of the surface that the pixel covers, divided by
sqrt|A|. Two pixels i and j, of a frame t and an older frame s, then have the covariance C_ij = |A_i & A_j| / sqrt(|A_i|
|A_j|). Measured in pixels of the old frame, |A_j| = 1, and A_i is the parallelogram from which pixel i came, which the
composed motion and its derivative give.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from warpnoise.compare.metrics.correspondence import Correspondence

SIDE = 8
"""Sample points along a side of a pixel, to measure the areas with."""

_REACH = 8
"""Half the side of the window of old pixels that one new pixel may cover; what covers more is left out."""


def fidelity_sums(
    new: npt.NDArray[np.float32], old: npt.NDArray[np.float32], correspondence: Correspondence
) -> tuple[float, float]:
    """Numerator and denominator of the fidelity of a frame's noise to an older one's.

    fidelity = sum_ij C_ij n_t(i) n_s(j) / sum_ij C_ij^2, averaged over channels; sums over several frames are divided
    in the end. 1 is exact, 0 unrelated.

    Args:
        new, old: (channels, h, w) float32, the noise of both frames.
    """
    numerator, denominator = _sums(
        np.ascontiguousarray(new), np.ascontiguousarray(old), correspondence.position, _derivative(correspondence)
    )
    return float(numerator), float(denominator)


def exact_covariance(
    correspondence: Correspondence, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]
) -> npt.NDArray[np.float64]:
    """C for some pixels of the new frame (``rows``) and some of the old one (``columns``).

    Args:
        rows, columns: (n, 2) and (m, 2) integers, x and y of the pixels.

    Returns:
        (n, m) float64; a row is 0 where the pixel was not visible all along.
    """
    derivative = _derivative(correspondence)
    height, width = correspondence.visible.shape
    place = {(int(x), int(y)): index for index, (x, y) in enumerate(columns)}
    covariance = np.zeros((len(rows), len(columns)))
    for row, (x, y) in enumerate(rows):
        window, left, top = _covered(correspondence.position, derivative, int(x), int(y), width, height)
        for v, u in zip(*np.nonzero(window), strict=True):
            column = place.get((left + int(u), top + int(v)))
            if column is not None:
                covariance[row, column] = window[v, u]
    return covariance


def _derivative(correspondence: Correspondence) -> npt.NDArray[np.float32]:
    """(h, w, 2, 2) float32, the derivative of x and y (third axis) by x and y (fourth axis) by central differences;
    NaN where a neighbour was not visible all along or is too far to be of the same surface."""
    position = correspondence.position
    derivative = np.full((*position.shape, 2), np.nan, dtype=np.float32)
    derivative[:, 1:-1, :, 0] = (position[:, 2:] - position[:, :-2]) / 2
    derivative[1:-1, :, :, 1] = (position[2:] - position[:-2]) / 2
    # The two one-sided differences agree on a surface, and do not across a silhouette.
    kink_x, kink_y = (np.full(position.shape[:2], np.inf, dtype=np.float32) for _ in range(2))
    kink_x[:, 1:-1] = np.abs(position[:, 2:] - 2 * position[:, 1:-1] + position[:, :-2]).max(axis=-1)
    kink_y[1:-1] = np.abs(position[2:] - 2 * position[1:-1] + position[:-2]).max(axis=-1)
    derivative[~(np.maximum(kink_x, kink_y) < 0.5)] = np.nan
    return derivative


@numba.njit(cache=True)
def _covered(position, derivative, x, y, width, height):  # type: ignore[no-untyped-def]
    """C_ij of pixel i = (x, y) with the old pixels in a window; and the window's left and top."""
    window = np.zeros((2 * _REACH + 1, 2 * _REACH + 1), np.float32)
    if np.isnan(derivative[y, x].sum()) or np.isnan(position[y, x, 0]):
        return window, 0, 0
    px, py = position[y, x, 0], position[y, x, 1]
    xx, xy, yx, yy = derivative[y, x, 0, 0], derivative[y, x, 0, 1], derivative[y, x, 1, 0], derivative[y, x, 1, 1]
    area = abs(xx * yy - xy * yx)
    left, top = int(np.floor(px + 0.5)) - _REACH, int(np.floor(py + 0.5)) - _REACH
    for b in range(SIDE):
        for a in range(SIDE):
            s, t = (a + 0.5) / SIDE - 0.5, (b + 0.5) / SIDE - 0.5
            u, v = int(np.floor(px + xx * s + xy * t + 0.5)), int(np.floor(py + yx * s + yy * t + 0.5))
            if not (0 <= u < width and 0 <= v < height and 0 <= u - left <= 2 * _REACH and 0 <= v - top <= 2 * _REACH):
                window[:] = 0  # partly seen: the rest of its noise is unknown
                return window, 0, 0
            window[v - top, u - left] += np.float32(np.sqrt(area) / (SIDE * SIDE))
    return window, left, top


@numba.njit(cache=True, parallel=True)
def _sums(new, old, position, derivative):  # type: ignore[no-untyped-def]
    channels, height, width = new.shape
    numerators, denominators = np.zeros(height), np.zeros(height)
    for y in numba.prange(height):
        for x in range(width):
            window, left, top = _covered(position, derivative, x, y, width, height)
            for v in range(2 * _REACH + 1):
                for u in range(2 * _REACH + 1):
                    c = window[v, u]
                    if c == 0:
                        continue
                    denominators[y] += c * c
                    product = 0.0
                    for channel in range(channels):
                        product += new[channel, y, x] * old[channel, top + v, left + u]
                    numerators[y] += c * product / channels
    return numerators.sum(), denominators.sum()


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
        """Whether both deviate no more than a finite number of pixels explains and a model would notice."""
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
        """The figures of the frames so far. Raises ValueError if there are none."""
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
