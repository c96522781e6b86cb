"""Compiled: where a point of one frame lies in another, and whether it is seen there. The reference is `follow`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..follow import GONE, HIDDEN, RETURN_TOLERANCE, SEEN
from ..jit import inner, pasted
from .sampling import HALF, ONE, ZERO, Scale, blend, inside, pixel_of, sample_depth, sample_vector, shows

Array = NDArray[Any]
f32, f64 = np.float32, np.float64
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
def follow_matrix(
    start: Array,
    end: Array,
    depth_start: Array,
    depth_end: Array,
    matrices: Array,
    scale: Scale,
    x: f32,
    y: f32,
    calm: bool,
    surface: int,
    n: int,
) -> tuple[int, f32, f32, f32, f32, f32, f32]:
    """The same of a point that moves by a matrix."""
    xs, ys = x * scale.sx - HALF, y * scale.sy - HALF
    _, depth, along_x, along_y, _ = sample_depth(depth_start, start, surface, xs, ys)
    xm, ym, d = f64(xs), f64(ys), f64(depth)
    to_w = ((matrices[n, 3, 0] * xm + matrices[n, 3, 1] * ym) + matrices[n, 3, 2] * d) + matrices[n, 3, 3]
    inverse = 1.0 / to_w
    px = (((matrices[n, 0, 0] * xm + matrices[n, 0, 1] * ym) + matrices[n, 0, 2] * d) + matrices[n, 0, 3]) * inverse
    py = (((matrices[n, 1, 0] * xm + matrices[n, 1, 1] * ym) + matrices[n, 1, 2] * d) + matrices[n, 1, 3]) * inverse
    pd = (((matrices[n, 2, 0] * xm + matrices[n, 2, 1] * ym) + matrices[n, 2, 2] * d) + matrices[n, 2, 3]) * inverse
    x1, y1 = f32((px + 0.5) * f64(scale.ux)), f32((py + 0.5) * f64(scale.uy))
    if not (math.isfinite(pd) and to_w > 0 and inside(scale, x1, y1)):
        return HIDDEN, x1, y1, ZERO, ZERO, ZERO, ZERO
    if not calm and not shows(end, depth_end, scale, surface, x1, y1, pd):
        return HIDDEN, x1, y1, ZERO, ZERO, ZERO, ZERO
    slope_x, slope_y = f64(along_x), f64(along_y)
    w_x, w_y = (
        matrices[n, 3, 0] + matrices[n, 3, 2] * slope_x,
        matrices[n, 3, 1] + matrices[n, 3, 2] * slope_y,
    )
    x_x = ((matrices[n, 0, 0] + matrices[n, 0, 2] * slope_x) - px * w_x) * inverse
    y_x = ((matrices[n, 1, 0] + matrices[n, 1, 2] * slope_x) - py * w_x) * inverse
    x_y = ((matrices[n, 0, 1] + matrices[n, 0, 2] * slope_y) - px * w_y) * inverse
    y_y = ((matrices[n, 1, 1] + matrices[n, 1, 2] * slope_y) - py * w_y) * inverse
    return (
        SEEN,
        x1,
        y1,
        f32(x_x - 1.0) + ONE,
        f32(x_y) * scale.sy_ux,
        f32(y_x) * scale.sx_uy,
        f32(y_y - 1.0) + ONE,
    )


@inner
def follow_calm(there: Array, scale: Scale, x: f32, y: f32) -> tuple[int, f32, f32, f32, f32, f32, f32]:
    """`follow_vector` amid calm pixels, where all four corners count and nothing is hidden."""
    xs, ys = x * scale.sx - HALF, y * scale.sy - HALF
    i, j = int(xs), int(ys)
    tx, ty = xs - f32(i), ys - f32(j)
    vx, x_x, x_y = blend(
        there[j, i, 0],
        there[j, i + 1, 0],
        there[j + 1, i, 0],
        there[j + 1, i + 1, 0],
        tx,
        ty,
    )
    vy, y_x, y_y = blend(
        there[j, i, 1],
        there[j, i + 1, 1],
        there[j + 1, i, 1],
        there[j + 1, i + 1, 1],
        tx,
        ty,
    )
    x1, y1 = x + vx * scale.ux, y + vy * scale.uy
    status = SEEN if inside(scale, x1, y1) else GONE
    return status, x1, y1, x_x + ONE, x_y * scale.sy_ux, y_x * scale.sx_uy, y_y + ONE


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
    calm: Array,
    scale: Scale,
    x: f32,
    y: f32,
) -> tuple[int, f32, f32, f32, f32, f32, f32]:
    row, column = pixel_of(start, scale, x, y)
    quiet = calm.size > 0 and calm[row, column]
    surface = start[row, column]
    if route.size > 0 and route[row, column] >= 0:
        return follow_matrix(
            start,
            end,
            depth_start,
            depth_end,
            matrices,
            scale,
            x,
            y,
            quiet,
            surface,
            route[row, column],
        )
    if quiet:
        return follow_calm(there, scale, x, y)
    return follow_vector(there, back, start, end, scale, x, y, surface)
