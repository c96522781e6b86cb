"""Samples a field between pixels, from pixels of a single surface.

Near a silhouette, a bilinear mix of the flows of two surfaces is wrong for both and tears the noise. So, of the four
pixels around a point, only those of the point's surface with known values count. The others are extrapolated from these
and from the next pixels of the surface, linearly where possible. Beyond the outermost pixel centers, the field is
extrapolated linearly. Fields are (h, w, 1 or 2) float32. Values that are not finite are unknown.
"""

from __future__ import annotations

import math

from .compile import scalar, separate
from .types import HALF, ZERO, Array, Pass, f32, f64, i64

DEPTH_RELATIVE, DEPTH_SPREAD, DEPTH_MOST, DEPTH_LEAST = 1e-4, 0.5, 0.05, 1e-9
"""A depth d agrees with the visible one if they differ by at most DEPTH_RELATIVE * d + DEPTH_LEAST, plus DEPTH_SPREAD
times the range of the four pixels around, which counts up to DEPTH_MOST * d."""


@scalar
def pixel_at(p: Pass, x: float, y: float) -> tuple[int, int]:
    """Row and column of the motion pixel that contains a point of the frame, in noise pixels."""
    h, w = p.source.shape
    return min(i64(y * p.sy), h - 1), min(i64(x * p.sx), w - 1)


@scalar
def corners(x: float, y: float, h: int, w: int) -> tuple[int, int, int, int, float, float]:
    """The left and right column, the upper and lower row around a point, and its place between them."""
    i, j = min(max(i64(x), 0), max(w - 2, 0)), min(max(i64(y), 0), max(h - 2, 0))
    return i, min(i + 1, w - 1), j, min(j + 1, h - 1), x - f32(i), y - f32(j)


@scalar
def clamped(x: float, most: float) -> float:
    """``x`` clamped to 0 to ``most``; 0 for NaN. float32."""
    x = x if x > ZERO else ZERO
    return x if x < most else most


@scalar
def blend(a: float, b: float, c: float, d: float, tx: float, ty: float) -> tuple[float, float, float]:
    """The bilinear value between four corners, and its derivatives."""
    upper, lower = a + tx * (b - a), c + tx * (d - c)
    return upper + ty * (lower - upper), (b - a) + ty * ((d - c) - (b - a)), lower - upper


@scalar
def counts(field: Array, surfaces: Array, surface: int, j: int, i: int) -> bool:
    """Whether a pixel belongs to a surface and its value is known."""
    h, w, parts = field.shape
    if not (0 <= j < h and 0 <= i < w) or surfaces[j, i] != surface:
        return False
    return math.isfinite(field[j, i, 0]) and math.isfinite(field[j, i, parts - 1])


@scalar
def extrapolated(
    field: Array, surfaces: Array, surface: int, q: int, j: int, i: int, other: int, side: int
) -> tuple[float, bool]:
    """A corner's value, extrapolated if the corner does not count, and whether that was possible.

    The sources are its neighbors in column ``side`` and row ``other``: the plane through the other three corners, or
    the line through two pixels of a row or column, or a neighbor's value.
    """
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


@separate
def complete(
    field: Array, surfaces: Array, surface: int, q: int, j0: int, j1: int, i0: int, i1: int
) -> tuple[bool, float, float, float, float]:
    """Whether at least one of four corners counts, and the four values, extrapolated where a corner does not."""
    a, has_a = extrapolated(field, surfaces, surface, q, j0, i0, j1, i1)
    b, has_b = extrapolated(field, surfaces, surface, q, j0, i1, j1, i0)
    c, has_c = extrapolated(field, surfaces, surface, q, j1, i0, j0, i1)
    d, has_d = extrapolated(field, surfaces, surface, q, j1, i1, j0, i0)
    return (
        has_a or has_b or has_c or has_d,
        a if has_a else (b + c) - d,
        b if has_b else (a + d) - c,
        c if has_c else (d + a) - b,
        d if has_d else (c + b) - a,
    )


@scalar
def all_of(surfaces: Array, surface: int, j0: int, j1: int, i0: int, i1: int) -> bool:
    """Whether four corners all show a surface."""
    same: bool = surfaces[j0, i0] == surface and surfaces[j0, i1] == surface
    return same and surfaces[j1, i0] == surface and surfaces[j1, i1] == surface


@scalar
def sample_flow(
    field: Array, surfaces: Array, surface: int, x: float, y: float
) -> tuple[bool, float, float, float, float, float, float]:
    """Whether the flow is known; the flow; its derivatives: x by x, x by y, y by x, y by y."""
    h, w = surfaces.shape
    i0, i1, j0, j1, tx, ty = corners(x, y, h, w)
    ax, bx, cx, dx = field[j0, i0, 0], field[j0, i1, 0], field[j1, i0, 0], field[j1, i1, 0]
    ay, by, cy, dy = field[j0, i0, 1], field[j0, i1, 1], field[j1, i0, 1], field[j1, i1, 1]
    # All four count in most cases. The sum is finite if all are.
    finite = math.isfinite(((ax + bx) + (cx + dx)) + ((ay + by) + (cy + dy)))
    if not (all_of(surfaces, surface, j0, j1, i0, i1) and finite):
        known, ax, bx, cx, dx = complete(field, surfaces, surface, 0, j0, j1, i0, i1)
        if not known:
            return False, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO
        _, ay, by, cy, dy = complete(field, surfaces, surface, 1, j0, j1, i0, i1)
    vx, x_x, x_y = blend(ax, bx, cx, dx, tx, ty)
    vy, y_x, y_y = blend(ay, by, cy, dy, tx, ty)
    return True, vx, vy, x_x, x_y, y_x, y_y


@scalar
def sample_depth(
    field: Array, surfaces: Array, surface: int, x: float, y: float
) -> tuple[bool, float, float, float, float]:
    """Whether the depth is known; the depth; its derivatives; the range of the corners."""
    h, w = surfaces.shape
    i0, i1, j0, j1, tx, ty = corners(x, y, h, w)
    a, b, c, d = field[j0, i0, 0], field[j0, i1, 0], field[j1, i0, 0], field[j1, i1, 0]
    if not (all_of(surfaces, surface, j0, j1, i0, i1) and math.isfinite((a + b) + (c + d))):
        known, a, b, c, d = complete(field, surfaces, surface, 0, j0, j1, i0, i1)
        if not known:
            return False, ZERO, ZERO, ZERO, ZERO
    value, slope_x, slope_y = blend(a, b, c, d, tx, ty)
    return True, value, slope_x, slope_y, max(max(a, b), max(c, d)) - min(min(a, b), min(c, d))


@scalar
def depth_agrees(p: Pass, surface: int, xs: float, ys: float, d: float) -> bool:
    """Whether depth d (float64) agrees with a surface's depth in the target frame at (xs, ys), motion pixels."""
    known, seen, _, _, spread = sample_depth(p.target_depth, p.target, surface, xs, ys)
    size = abs(d)
    allowed = size * DEPTH_RELATIVE + min(f64(spread) * DEPTH_SPREAD, size * DEPTH_MOST) + DEPTH_LEAST
    return known and abs(d - f64(seen)) <= allowed


@scalar
def depth_test(p: Pass, surface: int, x: float, y: float, d: float) -> bool:
    """Whether the target frame shows a point of a surface at depth d (float64)."""
    shown: bool = p.target[pixel_at(p, x, y)] == surface
    return shown and depth_agrees(p, surface, x * p.sx - HALF, y * p.sy - HALF, d)
