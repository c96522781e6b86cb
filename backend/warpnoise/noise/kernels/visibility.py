"""Advection of one particle, and the test of whether the target frame shows it.

A particle is visible if forward and reverse flow return to where they started, on the same surface; on a surface with a
transform, if the target frame shows its surface at its depth. For particles of *interior* pixels the test is made once
for the pixel: it and its eight neighbors pass it with twice the accuracy, amid pixels of their own surface.
"""

from __future__ import annotations

from .compile import kernel, scalar
from .rigid import project_surface, transform_of_pixel
from .sampling import (
    all_of,
    blend,
    corners,
    depth_agrees,
    depth_test,
    inside,
    pixel_at,
    sample_depth,
    sample_flow,
)
from .types import DEAD, HALF, LEAVING, ONE, VISIBLE, Array, Pass, f32, f64, u64

RETURN_TOLERANCE = f32(0.1 * 0.1)
"""Square of the distance, motion pixels, within which forward and reverse flow return."""
INTERIOR_TOLERANCE = f32(0.05 * 0.05)
U0, U1 = u64(0), u64(1)

Advected = tuple[int, float, float, float, float, float, float]
"""State; place x, y, noise pixels; Jacobian of the step. DEAD: lost. LEAVING: occluded, but its transform moves it on.
Place and Jacobian are set if it is VISIBLE."""


@scalar
def advect_point(p: Pass, x: float, y: float) -> Advected:
    """Advects a point that the source frame shows, noise pixels from the frame's corner, and tests its visibility."""
    row, column = pixel_at(p.source, p, x, y)
    surface = p.source[row, column]
    xs, ys = x * p.sx - HALF, y * p.sy - HALF
    if p.transform_of.size > 0 and p.transform_of[row, column] >= 0:
        n = p.transform_of[row, column]
        _, d, slope_x, slope_y, _ = sample_depth(p.source_depth, p.source, surface, xs, ys)
        slope_x, slope_y = slope_x * p.sx, slope_y * p.sy
        front, x1, y1, pd, m00, m01, m10, m11 = project_surface(
            p, n, f64(x), f64(y), f64(d), f64(slope_x), f64(slope_y)
        )
        state = VISIBLE if front and inside(p, x1, y1) and depth_test(p, surface, x1, y1, pd) else LEAVING
        return state, x1, y1, m00, m01, m10, m11
    known, vx, vy, x_x, x_y, y_x, y_y = sample_flow(p.flow, p.source, surface, xs, ys)
    x1, y1 = x + vx * p.ux, y + vy * p.uy
    state = DEAD
    if known and inside(p, x1, y1):
        row, column = pixel_at(p.target, p, x1, y1)
        if p.target[row, column] == surface:
            known, bx, by, _, _, _, _ = sample_flow(p.reverse, p.target, surface, x1 * p.sx - HALF, y1 * p.sy - HALF)
            residual_x = ((x1 + bx * p.ux) - x) * p.sx
            residual_y = ((y1 + by * p.uy) - y) * p.sy
            if known and residual_x * residual_x + residual_y * residual_y <= RETURN_TOLERANCE:
                state = VISIBLE
    return state, x1, y1, x_x + ONE, x_y * p.sy_ux, y_x * p.sx_uy, y_y + ONE


@scalar
def is_interior(p: Pass, row: int, column: int) -> bool:
    return p.interior[u64(row), u64(column)]  # type: ignore[no-any-return]


@scalar
def advect_interior(p: Pass, row: int, column: int, x: float, y: float) -> Advected:
    """:func:`advect_point` in an interior pixel, where all four corners count and only the frame can be left."""
    h, w = p.source.shape
    left, _, top, _, tx, ty = corners(x * p.sx - HALF, y * p.sy - HALF, h, w)
    i, j, f = u64(left), u64(top), p.flow  # unsigned: a signed index is tested for counting from the end
    vx, x_x, x_y = blend(f[j, i, U0], f[j, i + U1, U0], f[j + U1, i, U0], f[j + U1, i + U1, U0], tx, ty)
    vy, y_x, y_y = blend(f[j, i, U1], f[j, i + U1, U1], f[j + U1, i, U1], f[j + U1, i + U1, U1], tx, ty)
    x1, y1, state = x + vx * p.ux, y + vy * p.uy, VISIBLE
    if not inside(p, x1, y1):
        state = LEAVING if p.transform_of.size > 0 and p.transform_of[u64(row), u64(column)] >= 0 else DEAD
    return state, x1, y1, x_x + ONE, x_y * p.sy_ux, y_x * p.sx_uy, y_y + ONE


@scalar
def is_visible(p: Pass, j: int, i: int, n: int, x: float, y: float, d: float) -> bool:
    """Whether the target frame shows source pixel (i, j) amid four pixels of its surface, motion pixels.

    Args:
        n: its transform, or -1.
        x, y, d: its place and depth in the target frame.
    """
    h, w = p.source.shape
    surface = p.source[j, i]
    if not (x >= 0 and x <= w - 1 and y >= 0 and y <= h - 1):
        return False
    left, right, top, bottom, tx, ty = corners(x, y, h, w)
    if not all_of(p.target, surface, top, bottom, left, right):
        return False
    if n >= 0:
        known, value, _, _, spread = sample_depth(p.target_depth, p.target, surface, x, y)
        return known and depth_agrees(d, f64(value), f64(spread))
    r = p.reverse
    bx, _, _ = blend(r[top, left, 0], r[top, right, 0], r[bottom, left, 0], r[bottom, right, 0], tx, ty)
    by, _, _ = blend(r[top, left, 1], r[top, right, 1], r[bottom, left, 1], r[bottom, right, 1], tx, ty)
    residual_x, residual_y = (x + bx) - f32(i), (y + by) - f32(j)
    return residual_x * residual_x + residual_y * residual_y <= INTERIOR_TOLERANCE


@kernel
def advect_pixels(n: int, p: Pass, flow: Array, transform_of: Array, returns: Array) -> None:
    """Where the source pixels of row n move, and whether the target frame shows them.

    Args:
        flow, transform_of: get what ``Pass`` says of them; ``p`` has the flow of the motion. Both are left as they are
            if no surface has a transform.
        returns: (h, w) bool.
    """
    for i in range(p.source.shape[1]):
        vx, vy, d, transform = p.flow[n, i, 0], p.flow[n, i, 1], 0.0, -1
        if p.surfaces.size > 0:
            transform, to_x, to_y, d = transform_of_pixel(p, n, i)
            if transform >= 0:
                vx, vy = f32(to_x), f32(to_y)
            flow[n, i, 0], flow[n, i, 1], transform_of[n, i] = vx, vy, transform
        returns[n, i] = is_visible(p, n, i, transform, f32(i) + vx, f32(n) + vy, d)


@scalar
def surrounded(p: Pass, returns: Array, j: int, i: int, above: int, below: int, left: int, right: int) -> bool:
    """Whether a source pixel and its eight neighbors show one surface and return. Without branches."""
    s, own = p.source, p.source[j, i]
    same = (s[above, left] == own) & (s[above, i] == own) & (s[above, right] == own) & (s[j, left] == own)
    same &= (s[j, right] == own) & (s[below, left] == own) & (s[below, i] == own) & (s[below, right] == own)
    same &= returns[above, left] & returns[above, i] & returns[above, right] & returns[j, left] & returns[j, i]
    same &= returns[j, right] & returns[below, left] & returns[below, i] & returns[below, right]
    return same  # type: ignore[no-any-return]


@kernel
def mark_interior(n: int, p: Pass, returns: Array, interior: Array) -> None:
    """Source pixels of row n around which nothing is occluded."""
    h, w = p.source.shape
    above, below, end = max(n - 1, 0), min(n + 1, h - 1), w - 1
    interior[n, 0] = surrounded(p, returns, n, 0, above, below, 0, 1)
    interior[n, end] = surrounded(p, returns, n, end, above, below, end - 1, end)
    for i in range(1, end):
        interior[n, i] = surrounded(p, returns, n, i, above, below, i - 1, i + 1)
