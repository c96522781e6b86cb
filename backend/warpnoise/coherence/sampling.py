"""Resampling of pictures: cubic convolution, and interpolation by cubic B-splines.

Cubic convolution with a = -1/2 (Catmull-Rom) reproduces quadratics (Keys 1981), so that a smooth shading costs no
error; a picture that is resampled again and again blurs. B-splines through the pixels (Unser 1999) pass nearly all
frequencies. Positions are pixels, x right and y down, (0, 0) being the centre of the top left pixel.
"""

from __future__ import annotations

import cv2
import numba
import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]

_POLE = np.sqrt(3.0) - 2
_TAPS = _POLE ** np.abs(np.arange(-8, 9))
_SPLINE_FILTER = (_TAPS / _TAPS.sum()).astype(np.float32)
"""From samples to a cubic B-spline's coefficients; further taps are below 1e-5."""


def catmull_rom(picture: Float, position: Float) -> Float:
    """The picture, sampled at the given positions. Positions beyond its border read the border pixels.

    Args:
        picture: (h, w, channels) float32.
        position: (..., 2) float32, x and y in pixels; NaN gives NaN.

    Returns:
        (..., channels) float32.
    """
    return _sampled(picture, position, spline=False)


def spline(picture: Float) -> Float:
    """The coefficients that `read_spline` takes, (h, w, 3), of a picture of that shape."""
    filtered = cv2.sepFilter2D(picture, -1, _SPLINE_FILTER, _SPLINE_FILTER, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(filtered, np.float32)


def read_spline(coefficients: Float, position: Float) -> Float:
    """As `catmull_rom`, of the picture whose coefficients these are. It may leave the picture's range at edges."""
    return _sampled(coefficients, position, spline=True)


def _sampled(picture: Float, position: Float, *, spline: bool) -> Float:
    flat = np.ascontiguousarray(position, dtype=np.float32).reshape(-1, 2)
    out = _read(np.ascontiguousarray(picture, dtype=np.float32), flat, spline)
    return np.asarray(out.reshape(*position.shape[:-1], picture.shape[2]), dtype=np.float32)


@numba.njit(cache=True, parallel=True, fastmath=False)
def _read(picture, position, spline):  # type: ignore[no-untyped-def]
    height, width, channels = picture.shape
    out = np.empty((len(position), channels), np.float32)
    for i in numba.prange(len(position)):
        x, y = position[i, 0], position[i, 1]
        if np.isnan(x) or np.isnan(y):
            out[i] = np.nan
            continue
        # Beyond the border nothing changes any more, and a whole number must not overflow.
        x, y = min(max(x, np.float32(-2)), np.float32(width + 1)), min(max(y, np.float32(-2)), np.float32(height + 1))
        left, top = int(np.floor(x)), int(np.floor(y))
        along, down = _weights(x - left, spline), _weights(y - top, spline)
        for channel in range(channels):
            total = np.float32(0)
            for row in range(4):
                v = _inside(top - 1 + row, height, spline)
                line = np.float32(0)
                for column in range(4):
                    u = _inside(left - 1 + column, width, spline)
                    line += along[column] * picture[v, u, channel]
                total += down[row] * line
            out[i, channel] = total
    return out


@numba.njit(cache=True, inline="always")
def _inside(index, size, spline):  # type: ignore[no-untyped-def]
    """Splines are mirrored at the border, as their coefficients were."""
    if spline:
        index = abs(index)
        index = 2 * size - 2 - index if index > size - 1 else index
    return min(max(index, 0), size - 1)


@numba.njit(cache=True, inline="always")
def _weights(s, spline):  # type: ignore[no-untyped-def]
    """Of the four pixels around, s in [0, 1) past the second."""
    half, sixth, r = np.float32(0.5), np.float32(1 / 6), 1 - s
    if spline:
        return (
            sixth * r * r * r,
            sixth * (4 - 6 * s * s + 3 * s * s * s),
            sixth * (4 - 6 * r * r + 3 * r * r * r),
            sixth * s * s * s,
        )
    return (
        half * (-s + 2 * s * s - s * s * s),
        half * (2 - 5 * s * s + 3 * s * s * s),
        half * (s + 4 * s * s - 3 * s * s * s),
        half * (s * s * s - s * s),
    )
