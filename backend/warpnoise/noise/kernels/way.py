"""Compiled: where a point of one frame lies in another, and whether it is seen there. The reference is `follow`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..follow import GONE, HIDDEN, RETURN_TOLERANCE, SEEN
from ..jit import inner, pasted
from .rigid import along, project
from .sampling import HALF, ONE, Scale, blend, inside, pixel_of, sample_depth, sample_vector, shows

Array = NDArray[Any]
f32, f64, u64 = np.float32, np.float64, np.uint64
U1, U2, U3 = u64(1), u64(2), u64(3)
RETURN_SQUARED = f32(RETURN_TOLERANCE * RETURN_TOLERANCE)


@inner
def follow_vector(
    there: Array,
    back: Array,
    start: Array,
    end: Array,
    scale: Scale,
    x: f32,
    y: f32,
    surface: int,
) -> tuple[int, f32, f32, f32, f32, f32, f32]:
    """Status, place and stretch of a point that moves by vectors."""
    known, vx, vy, x_x, x_y, y_x, y_y = sample_vector(there, start, surface, x * scale.sx - HALF, y * scale.sy - HALF)
    x1, y1 = x + vx * scale.ux, y + vy * scale.uy
    m00, m01, m10, m11 = x_x + ONE, x_y * scale.sy_ux, y_x * scale.sx_uy, y_y + ONE
    status = GONE
    if known and inside(scale, x1, y1):
        row, column = pixel_of(end, scale, x1, y1)
        if end[row, column] == surface:
            known, bx, by, _, _, _, _ = sample_vector(back, end, surface, x1 * scale.sx - HALF, y1 * scale.sy - HALF)
            off_x = ((x1 + bx * scale.ux) - x) * scale.sx
            off_y = ((y1 + by * scale.uy) - y) * scale.sy
            if known and off_x * off_x + off_y * off_y <= RETURN_SQUARED:
                status = SEEN
    return status, x1, y1, m00, m01, m10, m11


@inner
def move_on(
    matrices: Array, n: int, scale: Scale, x: f64, y: f64, d: f64, slope_x: f32, slope_y: f32
) -> tuple[bool, f32, f32, f64, f32, f32, f32, f32]:
    """Whether matrix ``n`` takes a point of a surface to a depth in front; the place, that depth and the stretch."""
    px, py, pd, inverse, front = project(matrices, n, x, y, d)
    x_x, y_x, _ = along(matrices, n, px, py, pd, inverse, 0, f64(slope_x))
    x_y, y_y, _ = along(matrices, n, px, py, pd, inverse, 1, f64(slope_y))
    return (
        front and math.isfinite(pd),
        f32((px + 0.5) * f64(scale.ux)),
        f32((py + 0.5) * f64(scale.uy)),
        pd,
        f32(x_x - 1.0) + ONE,
        f32(x_y) * scale.sy_ux,
        f32(y_x) * scale.sx_uy,
        f32(y_y - 1.0) + ONE,
    )


@inner
def follow_matrix(
    start: Array,
    end: Array,
    depth_start: Array,
    depth_end: Array,
    matrices: Array,
    scale: Scale,
    x: f32,
    y: f32,
    surface: int,
    n: int,
) -> tuple[int, f32, f32, f32, f32, f32, f32]:
    """The same of a point that moves by a matrix."""
    xs, ys = x * scale.sx - HALF, y * scale.sy - HALF
    _, d, along_x, along_y, _ = sample_depth(depth_start, start, surface, xs, ys)
    front, x1, y1, pd, m00, m01, m10, m11 = move_on(matrices, n, scale, f64(xs), f64(ys), f64(d), along_x, along_y)
    status = HIDDEN
    if front and inside(scale, x1, y1) and shows(end, depth_end, scale, surface, x1, y1, pd):
        status = SEEN
    return status, x1, y1, m00, m01, m10, m11


@inner
def follow_calm(there: Array, pitch: u64, scale: Scale, x: f32, y: f32) -> tuple[bool, f32, f32, f32, f32, f32, f32]:
    """`follow_vector` amid calm pixels, where all four corners count and nothing is hidden: whether it stays inside.

    Args:
        there: (h * w * 2,): flat, and its indices unsigned, else Numba would look at each for whether it counts from
            the end.
        pitch: w.
    """
    xs, ys = x * scale.sx - HALF, y * scale.sy - HALF
    i, j = u64(xs), u64(ys)
    a = (j * pitch + i) * U2
    c = a + pitch * U2
    tx, ty = xs - f32(i), ys - f32(j)
    vx, x_x, x_y = blend(there[a], there[a + U2], there[c], there[c + U2], tx, ty)
    vy, y_x, y_y = blend(there[a + U1], there[a + U3], there[c + U1], there[c + U3], tx, ty)
    x1, y1 = x + vx * scale.ux, y + vy * scale.uy
    return inside(scale, x1, y1), x1, y1, x_x + ONE, x_y * scale.sy_ux, y_x * scale.sx_uy, y_y + ONE


@inner
def follow_calm_matrix(
    depth: Array, pitch: u64, matrices: Array, n: int, scale: Scale, x: f32, y: f32
) -> tuple[bool, f32, f32, f32, f32, f32, f32]:
    """`follow_matrix` amid calm pixels. ``depth`` is (h * w,)."""
    xs, ys = x * scale.sx - HALF, y * scale.sy - HALF
    i, j = u64(xs), u64(ys)
    a = j * pitch + i
    c = a + pitch
    d, along_x, along_y = blend(depth[a], depth[a + U1], depth[c], depth[c + U1], xs - f32(i), ys - f32(j))
    front, x1, y1, _, m00, m01, m10, m11 = move_on(matrices, n, scale, f64(xs), f64(ys), f64(d), along_x, along_y)
    return front and inside(scale, x1, y1), x1, y1, m00, m01, m10, m11


@pasted
def follow(
    there: Array,
    back: Array,
    start: Array,
    end: Array,
    depth_start: Array,
    depth_end: Array,
    matrices: Array,
    route: Array,
    scale: Scale,
    x: f32,
    y: f32,
) -> tuple[int, f32, f32, f32, f32, f32, f32]:
    row, column = pixel_of(start, scale, x, y)
    surface = start[row, column]
    if route.size > 0 and route[row, column] >= 0:
        n = route[row, column]
        return follow_matrix(start, end, depth_start, depth_end, matrices, scale, x, y, surface, n)
    return follow_vector(there, back, start, end, scale, x, y, surface)
