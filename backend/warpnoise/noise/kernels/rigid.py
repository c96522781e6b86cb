"""Compiled: surfaces that a matrix moves. The reference is `rigid`: the same roundings in the same order."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from ..jit import inner, kernel

Array = NDArray[Any]
f64 = np.float64


@inner
def project(matrices: Array, n: int, x: f64, y: f64, d: f64) -> tuple[f64, f64, f64, f64, bool]:
    """Where matrix ``n`` takes a point: x, y, d there; the inverse of its w; whether that is in front."""
    w = ((matrices[n, 3, 0] * x + matrices[n, 3, 1] * y) + matrices[n, 3, 2] * d) + matrices[n, 3, 3]
    inverse = 1.0 / w
    px = (((matrices[n, 0, 0] * x + matrices[n, 0, 1] * y) + matrices[n, 0, 2] * d) + matrices[n, 0, 3]) * inverse
    py = (((matrices[n, 1, 0] * x + matrices[n, 1, 1] * y) + matrices[n, 1, 2] * d) + matrices[n, 1, 3]) * inverse
    pd = (((matrices[n, 2, 0] * x + matrices[n, 2, 1] * y) + matrices[n, 2, 2] * d) + matrices[n, 2, 3]) * inverse
    return px, py, pd, inverse, w > 0


@inner
def along(
    matrices: Array, n: int, px: f64, py: f64, pd: f64, inverse: f64, axis: int, slope: f64
) -> tuple[f64, f64, f64]:
    """How x, y and d there change by x (``axis`` 0) or y (1) here, on a surface whose d changes by ``slope``."""
    w = matrices[n, 3, axis] + matrices[n, 3, 2] * slope
    return (
        ((matrices[n, 0, axis] + matrices[n, 0, 2] * slope) - px * w) * inverse,
        ((matrices[n, 1, axis] + matrices[n, 1, 2] * slope) - py * w) * inverse,
        ((matrices[n, 2, axis] + matrices[n, 2, 2] * slope) - pd * w) * inverse,
    )


@kernel
def measure_deviations(
    there: Array, start: Array, depth_start: Array, surfaces: Array, matrices: Array, which: Array, off: Array
) -> None:
    """For each start pixel its matrix or -1, and how far its vector is from where that leads; NaN: not known."""
    h, w = start.shape
    known = len(surfaces)
    for j in prange(h):
        for i in range(w):
            which[j, i], off[j, i] = -1, math.nan
            n = np.searchsorted(surfaces, start[j, i])
            d = f64(depth_start[j, i, 0])
            if n == known or surfaces[n] != start[j, i] or not math.isfinite(d):
                continue
            which[j, i] = n
            px, py, _, _, front = project(matrices, n, f64(i), f64(j), d)
            if front and math.isfinite(there[j, i, 0]) and math.isfinite(there[j, i, 1]):
                off[j, i] = max(abs(px - i - there[j, i, 0]), abs(py - j - there[j, i, 1]))
