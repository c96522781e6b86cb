"""Advection of one particle, and the test of whether the target frame shows it.

A particle is visible if forward and reverse flow return to where they started, on the same surface; on a surface with a
transform, if the target frame shows its surface at its depth. For particles of *interior* pixels the test is made once
for the pixel: it and its eight neighbours pass it with twice the accuracy, amid pixels of their own surface.
"""

from __future__ import annotations

from .compile import kernel, scalar
from .rigid import ONE, project, project_surface, transform_of_pixel
from .sampling import (
    HALF,
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
from .types import DEAD, LEAVING, VISIBLE, Array, Pass, f32, f64, i64, u64

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
        front, x1, y1, pd, m00, m01, m10, m11 = project_surface(
            p, n, f64(xs), f64(ys), f64(d), f64(slope_x), f64(slope_y)
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
    """Whether a source pixel is interior; false where the mask was not computed."""
    return p.interior.size > 0 and p.interior[u64(row), u64(column)]  # type: ignore[no-any-return]


@scalar
def advect_interior(p: Pass, row: int, column: int, x: float, y: float) -> Advected:
    """:func:`advect_point` in an interior pixel, where all four corners count and only the frame can be left."""
    h, w = p.source.shape
    xs, ys = x * p.sx - HALF, y * p.sy - HALF
    left, _, top, _, tx, ty = corners(xs, ys, h, w)
    i, j = u64(left), u64(top)  # unsigned: a signed index is tested for counting from the end
    if p.transform_of.size > 0 and p.transform_of[u64(row), u64(column)] >= 0:
        n = p.transform_of[u64(row), u64(column)]
        z = p.source_depth
        d, slope_x, slope_y = blend(z[j, i, U0], z[j, i + U1, U0], z[j + U1, i, U0], z[j + U1, i + U1, U0], tx, ty)
        front, x1, y1, _, m00, m01, m10, m11 = project_surface(
            p, n, f64(xs), f64(ys), f64(d), f64(slope_x), f64(slope_y)
        )
        return VISIBLE if front and inside(p, x1, y1) else LEAVING, x1, y1, m00, m01, m10, m11
    f = p.flow
    vx, x_x, x_y = blend(f[j, i, U0], f[j, i + U1, U0], f[j + U1, i, U0], f[j + U1, i + U1, U0], tx, ty)
    vy, y_x, y_y = blend(f[j, i, U1], f[j, i + U1, U1], f[j + U1, i, U1], f[j + U1, i + U1, U1], tx, ty)
    x1, y1 = x + vx * p.ux, y + vy * p.uy
    state = VISIBLE if inside(p, x1, y1) else DEAD
    return state, x1, y1, x_x + ONE, x_y * p.sy_ux, y_x * p.sx_uy, y_y + ONE


@scalar
def pixel_returns(p: Pass, j: int, i: int) -> bool:
    """Whether the target frame shows a source pixel amid four pixels of its surface."""
    h, w = p.source.shape
    surface = p.source[j, i]
    x, y = f32(i), f32(j)
    n = i64(p.transform_of[j, i]) if p.transform_of.size > 0 else -1
    pd = 0.0
    if n >= 0:
        px, py, pd, _, front = project(p.transforms, n, f64(i), f64(j), f64(p.source_depth[j, i, 0]))
        if not front:
            return False
        x1, y1 = f32(px), f32(py)
    else:
        x1, y1 = x + p.flow[j, i, 0], y + p.flow[j, i, 1]
    if not (x1 >= 0 and x1 <= w - 1 and y1 >= 0 and y1 <= h - 1):
        return False
    left, right, top, bottom, tx, ty = corners(x1, y1, h, w)
    if not all_of(p.target, surface, top, bottom, left, right):
        return False
    if n >= 0:
        known, value, _, _, spread = sample_depth(p.target_depth, p.target, surface, x1, y1)
        return known and depth_agrees(pd, f64(value), f64(spread))
    r = p.reverse
    bx, _, _ = blend(r[top, left, 0], r[top, right, 0], r[bottom, left, 0], r[bottom, right, 0], tx, ty)
    by, _, _ = blend(r[top, left, 1], r[top, right, 1], r[bottom, left, 1], r[bottom, right, 1], tx, ty)
    residual_x, residual_y = (x1 + bx) - x, (y1 + by) - y
    return residual_x * residual_x + residual_y * residual_y <= INTERIOR_TOLERANCE


@scalar
def pixel_is_interior(p: Pass, returns: Array, j: int, i: int) -> bool:
    """Whether a source pixel and its eight neighbours in the frame show one surface, move alike and return."""
    h, w = p.source.shape
    for row in range(max(j - 1, 0), min(j + 2, h)):
        for column in range(max(i - 1, 0), min(i + 2, w)):
            if not returns[row, column] or p.source[row, column] != p.source[j, i]:
                return False
            if p.transform_of.size > 0 and p.transform_of[row, column] != p.transform_of[j, i]:
                return False
    return True


@kernel
def find_transforms(n: int, p: Pass, transform_of: Array) -> None:
    """The transform of each source pixel of row n; -1: it moves by its flow."""
    for i in range(p.source.shape[1]):
        transform_of[n, i] = transform_of_pixel(p, n, i)


@kernel
def mark_returning(n: int, p: Pass, returns: Array) -> None:
    """Source pixels of row n that the target frame shows."""
    for i in range(p.source.shape[1]):
        returns[n, i] = pixel_returns(p, n, i)


@kernel
def mark_interior(n: int, p: Pass, returns: Array, interior: Array) -> None:
    """Source pixels of row n around which nothing is occluded."""
    for i in range(p.source.shape[1]):
        interior[n, i] = pixel_is_interior(p, returns, n, i)
