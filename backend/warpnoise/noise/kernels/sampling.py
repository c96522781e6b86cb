"""Compiled: reading a picture between its pixels. The reference is `sampling`, and parts of `rigid` and `passage`.

The same roundings in the same order: both engines agree on every atom. Arrays are passed one by one: in a tuple, Numba
would count references to all of them at every call.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..jit import inner
from ..rigid import DEPTH_LEAST, DEPTH_MOST, DEPTH_RELATIVE, DEPTH_SPREAD

Array = NDArray[Any]
f32, f64, i64 = np.float32, np.float64, np.int64
HALF, ONE, ZERO = f32(0.5), f32(1.0), f32(0.0)


class Scale(NamedTuple):
    """The scales of `passage.Passage` in float32, and the noise's size."""

    sx: Any
    sy: Any
    ux: Any
    uy: Any
    sy_ux: Any
    sx_uy: Any
    width: Any
    height: Any


@inner
def corners(x: f32, y: f32, h: int, w: int) -> tuple[int, int, int, int, f32, f32]:
    """Left and right column, upper and lower row around a point, and where it lies between them."""
    i = min(max(i64(math.floor(x)), 0), max(w - 2, 0))
    j = min(max(i64(math.floor(y)), 0), max(h - 2, 0))
    return i, min(i + 1, w - 1), j, min(j + 1, h - 1), x - f32(i), y - f32(j)


@inner
def blend(a: f32, b: f32, c: f32, d: f32, tx: f32, ty: f32) -> tuple[f32, f32, f32]:
    """Value and derivatives between four corners."""
    upper, lower = a + tx * (b - a), c + tx * (d - c)
    return (
        upper + ty * (lower - upper),
        (b - a) + ty * ((d - c) - (b - a)),
        lower - upper,
    )


@inner
def counts(field: Array, surfaces: Array, surface: int, j: int, i: int) -> bool:
    """Whether a pixel is one of a surface, and known; the field has one part or two."""
    h, w, parts = field.shape
    if not (0 <= j < h and 0 <= i < w) or surfaces[j, i] != surface:
        return False
    return math.isfinite(field[j, i, 0]) and math.isfinite(field[j, i, parts - 1])


@inner
def continued(
    field: Array, surfaces: Array, surface: int, q: int, j: int, i: int, other: int, side: int
) -> tuple[f32, bool]:
    """One corner from its neighbours in column ``side`` and row ``other`` (see `sampling._continue`)."""
    if counts(field, surfaces, surface, j, i):
        return field[j, i, q], True
    k_side = counts(field, surfaces, surface, j, side)
    k_other = counts(field, surfaces, surface, other, i)
    if k_side and k_other and counts(field, surfaces, surface, other, side):
        return (field[j, side, q] + field[other, i, q]) - field[other, side, q], True
    behind_side, behind_other = side + side - i, other + other - j
    if k_side and counts(field, surfaces, surface, j, behind_side):
        return (field[j, side, q] + field[j, side, q]) - field[j, behind_side, q], True
    if k_other and counts(field, surfaces, surface, behind_other, i):
        return (field[other, i, q] + field[other, i, q]) - field[behind_other, i, q], True
    if k_side and k_other:
        return HALF * (field[j, side, q] + field[other, i, q]), True
    if k_side:
        return field[j, side, q], True
    if k_other:
        return field[other, i, q], True
    return ZERO, False


@inner
def complete(
    field: Array, surfaces: Array, surface: int, q: int, j0: int, j1: int, i0: int, i1: int
) -> tuple[f32, f32, f32, f32]:
    """Four corners, those that do not count continued from the others."""
    a, has_a = continued(field, surfaces, surface, q, j0, i0, j1, i1)
    b, has_b = continued(field, surfaces, surface, q, j0, i1, j1, i0)
    c, has_c = continued(field, surfaces, surface, q, j1, i0, j0, i1)
    d, has_d = continued(field, surfaces, surface, q, j1, i1, j0, i0)
    return (
        a if has_a else (b + c) - d,
        b if has_b else (a + d) - c,
        c if has_c else (d + a) - b,
        d if has_d else (c + b) - a,
    )


@inner
def any_counts(field: Array, surfaces: Array, surface: int, j0: int, j1: int, i0: int, i1: int) -> bool:
    """Whether at least one of four corners counts."""
    return (
        counts(field, surfaces, surface, j0, i0)
        or counts(field, surfaces, surface, j0, i1)
        or counts(field, surfaces, surface, j1, i0)
        or counts(field, surfaces, surface, j1, i1)
    )


@inner
def sample_vector(
    field: Array, surfaces: Array, surface: int, x: f32, y: f32
) -> tuple[bool, f32, f32, f32, f32, f32, f32]:
    """Whether known; the vector; its derivatives: x by x, x by y, y by x, y by y."""
    h, w = surfaces.shape
    i0, i1, j0, j1, tx, ty = corners(x, y, h, w)
    ax, bx, cx, dx = field[j0, i0, 0], field[j0, i1, 0], field[j1, i0, 0], field[j1, i1, 0]
    ay, by, cy, dy = field[j0, i0, 1], field[j0, i1, 1], field[j1, i0, 1], field[j1, i1, 1]
    same = surfaces[j0, i0] == surface and surfaces[j0, i1] == surface
    same = same and surfaces[j1, i0] == surface and surfaces[j1, i1] == surface
    # Mostly all four count; their sum tells whether all are finite.
    if not (same and math.isfinite(((ax + bx) + (cx + dx)) + ((ay + by) + (cy + dy)))):
        if not any_counts(field, surfaces, surface, j0, j1, i0, i1):
            return False, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO
        ax, bx, cx, dx = complete(field, surfaces, surface, 0, j0, j1, i0, i1)
        ay, by, cy, dy = complete(field, surfaces, surface, 1, j0, j1, i0, i1)
    vx, x_x, x_y = blend(ax, bx, cx, dx, tx, ty)
    vy, y_x, y_y = blend(ay, by, cy, dy, tx, ty)
    return True, vx, vy, x_x, x_y, y_x, y_y


@inner
def sample_depth(field: Array, surfaces: Array, surface: int, x: f32, y: f32) -> tuple[bool, f32, f32, f32, f32]:
    """Whether known; the depth; its derivatives; how far apart the corners are."""
    h, w = surfaces.shape
    i0, i1, j0, j1, tx, ty = corners(x, y, h, w)
    a, b, c, d = field[j0, i0, 0], field[j0, i1, 0], field[j1, i0, 0], field[j1, i1, 0]
    same = surfaces[j0, i0] == surface and surfaces[j0, i1] == surface
    same = same and surfaces[j1, i0] == surface and surfaces[j1, i1] == surface
    if not (same and math.isfinite((a + b) + (c + d))):
        if not any_counts(field, surfaces, surface, j0, j1, i0, i1):
            return False, ZERO, ZERO, ZERO, ZERO
        a, b, c, d = complete(field, surfaces, surface, 0, j0, j1, i0, i1)
    value, along_x, along_y = blend(a, b, c, d, tx, ty)
    return True, value, along_x, along_y, max(max(a, b), max(c, d)) - min(min(a, b), min(c, d))


@inner
def same_depth(d: float, seen: float, spread: float) -> bool:
    size = abs(d)
    allowed = size * DEPTH_RELATIVE + min(spread * DEPTH_SPREAD, size * DEPTH_MOST) + DEPTH_LEAST
    return abs(d - seen) <= allowed


@inner
def pixel_of(surfaces: Array, scale: Scale, x: f32, y: f32) -> tuple[int, int]:
    h, w = surfaces.shape
    return min(max(i64(y * scale.sy), 0), h - 1), min(max(i64(x * scale.sx), 0), w - 1)


@inner
def inside(scale: Scale, x: f32, y: f32) -> bool:
    return x >= 0 and x < scale.width and y >= 0 and y < scale.height


@inner
def shows(end: Array, depth_end: Array, scale: Scale, surface: int, x: f32, y: f32, d: float) -> bool:
    row, column = pixel_of(end, scale, x, y)
    if end[row, column] != surface:
        return False
    known, value, _, _, spread = sample_depth(depth_end, end, surface, x * scale.sx - HALF, y * scale.sy - HALF)
    return known and same_depth(d, f64(value), f64(spread))
