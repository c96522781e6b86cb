"""Reading pictures between their pixels by cubic convolution with a = -1/2 (Catmull-Rom).

It is the one value with which it reproduces quadratics (Keys 1981), so that a smooth shading costs no error. Positions
are pixels, x right and y down, (0, 0) being the centre of the top left pixel.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]


def catmull_rom(picture: Float, position: Float) -> Float:
    """The picture at the given places; pixels at the border stand for what lies beyond it.

    Args:
        picture: (h, w, channels) float32.
        position: (..., 2) float32, x and y in pixels; NaN gives NaN.

    Returns:
        (..., channels) float32.
    """
    flat = np.ascontiguousarray(position, dtype=np.float32).reshape(-1, 2)
    out = _catmull_rom(np.ascontiguousarray(picture, dtype=np.float32), flat)
    return np.asarray(out.reshape(*position.shape[:-1], picture.shape[2]), dtype=np.float32)


@numba.njit(cache=True, parallel=True, fastmath=False)
def _catmull_rom(picture, position):  # type: ignore[no-untyped-def]
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
        along, down = _weights(x - left), _weights(y - top)
        for channel in range(channels):
            total = np.float32(0)
            for row in range(4):
                v = min(max(top - 1 + row, 0), height - 1)
                line = np.float32(0)
                for column in range(4):
                    u = min(max(left - 1 + column, 0), width - 1)
                    line += along[column] * picture[v, u, channel]
                total += down[row] * line
            out[i, channel] = total
    return out


@numba.njit(cache=True, inline="always")
def _weights(s):  # type: ignore[no-untyped-def]
    """Of the four pixels around, s in [0, 1) past the second."""
    half = np.float32(0.5)
    return (
        half * (-s + 2 * s * s - s * s * s),
        half * (2 - 5 * s * s + 3 * s * s * s),
        half * (s + 4 * s * s - 3 * s * s * s),
        half * (s * s * s - s * s),
    )
