"""Compiled: pixels around which nothing is hidden or uncovered. The reference is `follow.find_calm`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from ..follow import CALM_TOLERANCE
from ..jit import kernel, pasted
from .rigid import project
from .sampling import Scale, blend, same_depth, sample_depth

Array = NDArray[Any]
f32, f64, i64 = np.float32, np.float64, np.int64
CALM_SQUARED = f32(CALM_TOLERANCE * CALM_TOLERANCE)


@kernel
def mark_returning(
    there: Array,
    back: Array,
    start: Array,
    end: Array,
    depth_start: Array,
    depth_end: Array,
    matrices: Array,
    route: Array,
    scale: Scale,
    good: Array,
) -> None:
    """Whether start pixels are seen in the end frame amid four pixels of their surface, at least a pixel inside."""
    h, w = start.shape
    for j in prange(h):
        for i in range(w):
            good[j, i] = returns(there, back, start, end, depth_start, depth_end, matrices, route, j, i)


@pasted
def returns(
    there: Array,
    back: Array,
    start: Array,
    end: Array,
    depth_start: Array,
    depth_end: Array,
    matrices: Array,
    route: Array,
    j: int,
    i: int,
) -> bool:
    h, w = start.shape
    surface = start[j, i]
    x, y = f32(i), f32(j)
    rigid = route.size > 0 and route[j, i] >= 0
    pd = 0.0
    if rigid:
        px, py, pd, _, front = project(matrices, route[j, i], f64(i), f64(j), f64(depth_start[j, i, 0]))
        if not front:
            return False
        x1, y1 = f32(px), f32(py)
    else:
        x1, y1 = x + there[j, i, 0], y + there[j, i, 1]
    if not (x1 >= 1 and x1 <= w - 2 and y1 >= 1 and y1 <= h - 2):
        return False
    left, top = min(i64(math.floor(x1)), w - 2), min(i64(math.floor(y1)), h - 2)
    for row in range(top, top + 2):
        for column in range(left, left + 2):
            if end[row, column] != surface:
                return False
            if not rigid and not (math.isfinite(back[row, column, 0]) and math.isfinite(back[row, column, 1])):
                return False
    if rigid:
        known, value, _, _, spread = sample_depth(depth_end, end, surface, x1, y1)
        return known and same_depth(pd, f64(value), f64(spread))
    tx, ty = x1 - f32(left), y1 - f32(top)  # all four corners count
    bx, _, _ = blend(
        back[top, left, 0], back[top, left + 1, 0], back[top + 1, left, 0], back[top + 1, left + 1, 0], tx, ty
    )
    by, _, _ = blend(
        back[top, left, 1], back[top, left + 1, 1], back[top + 1, left, 1], back[top + 1, left + 1, 1], tx, ty
    )
    off_x, off_y = (x1 + bx) - x, (y1 + by) - y
    return off_x * off_x + off_y * off_y <= CALM_SQUARED


@kernel
def mark_calm(start: Array, route: Array, good: Array, calm: Array) -> None:
    """Whether start pixels and their eight neighbours show one surface and are good."""
    h, w = start.shape
    for j in prange(1, h - 1):
        for i in range(1, w - 1):
            surface = start[j, i]
            result = good[j, i]
            for row in range(j - 1, j + 2):
                if not result:
                    break
                for column in range(i - 1, i + 2):
                    result = result and good[row, column] and start[row, column] == surface
                    if route.size > 0:
                        result = result and route[row, column] == route[j, i]
            calm[j, i] = result
