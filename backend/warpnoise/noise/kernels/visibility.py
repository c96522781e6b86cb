"""Advects a particle, and tests whether it is visible in the target frame.

A particle is visible if forward and reverse flow lead back to its starting point, on the same surface. If the surface
has a transform, a depth test decides instead. The square between four pixel centers of one surface is *interior* if
all four pixels pass the test with half the tolerance. Particles in it need no separate test.
"""

from __future__ import annotations

import math

from .compile import kernel, scalar
from .rigid import project, push, transform_of_pixel
from .sampling import all_of, blend, corners, depth_agrees, depth_test, pixel_at, sample_depth, sample_flow
from .tree import inside
from .types import DEAD, HALF, LEAVING, ONE, VISIBLE, Array, Pass, Tree, f32, f64

RETURN_TOLERANCE = f32(0.1 * 0.1)
"""The square of the largest flow residual of a visible particle, motion pixels."""
INTERIOR_TOLERANCE = f32(0.05 * 0.05)


@scalar
def advect_point(p: Pass, tree: Tree, x: float, y: float) -> tuple[int, float, float, float, float, float, float]:
    """Advects a visible point of the source frame, noise pixels from the corner, and tests its visibility.

    Returns:
        State; place x, y, noise pixels; Jacobian of the step. The state is VISIBLE, DEAD, or LEAVING if the surface has
        a transform. Place and Jacobian are valid if it is VISIBLE.
    """
    row, column = pixel_at(p, x, y)
    surface = p.source[row, column]
    xs, ys = x * p.sx - HALF, y * p.sy - HALF
    if p.transform_of.size > 0 and p.transform_of[row, column] >= 0:
        n = p.transform_of[row, column]
        _, d, slope_x, slope_y, _ = sample_depth(p.source_depth, p.source, surface, xs, ys)
        px, py, pd, inverse, front = project(p.transforms, n, f64(x), f64(y), f64(d))
        x_x, y_x, _ = push(p.transforms, n, px, py, pd, inverse, 1.0, 0.0, f64(slope_x * p.sx))
        x_y, y_y, _ = push(p.transforms, n, px, py, pd, inverse, 0.0, 1.0, f64(slope_y * p.sy))
        x1, y1 = f32(px), f32(py)
        visible = front and math.isfinite(pd) and inside(tree, x1, y1) and depth_test(p, surface, x1, y1, pd)
        return VISIBLE if visible else LEAVING, x1, y1, f32(x_x), f32(x_y), f32(y_x), f32(y_y)
    known, vx, vy, x_x, x_y, y_x, y_y = sample_flow(p.flow, p.source, surface, xs, ys)
    x1, y1 = x + vx * p.ux, y + vy * p.uy
    state = DEAD
    if known and inside(tree, x1, y1) and p.target[pixel_at(p, x1, y1)] == surface:
        known, bx, by, _, _, _, _ = sample_flow(p.reverse, p.target, surface, x1 * p.sx - HALF, y1 * p.sy - HALF)
        residual_x = ((x1 + bx * p.ux) - x) * p.sx
        residual_y = ((y1 + by * p.uy) - y) * p.sy
        if known and residual_x * residual_x + residual_y * residual_y <= RETURN_TOLERANCE:
            state = VISIBLE
    return state, x1, y1, x_x + ONE, x_y * (p.sy * p.ux), y_x * (p.sx * p.uy), y_y + ONE


@scalar
def product(
    m00: float, m01: float, m10: float, m11: float, x_u: float, x_v: float, y_u: float, y_v: float
) -> tuple[float, float, float, float]:
    """The matrix product: a particle's Jacobian after a step with the Jacobian ``m``."""
    return m00 * x_u + m01 * y_u, m00 * x_v + m01 * y_v, m10 * x_u + m11 * y_u, m10 * x_v + m11 * y_v


@scalar
def is_interior(p: Pass, x: float, y: float) -> bool:
    """Whether a point of the source frame, noise pixels, lies in an interior square."""
    h, w = p.source.shape
    left, _, top, _, _, _ = corners(x * p.sx - HALF, y * p.sy - HALF, h, w)
    return p.interior[top, left] != 0  # type: ignore[no-any-return]


@scalar
def is_visible(p: Pass, j: int, i: int, n: int, x: float, y: float, d: float) -> bool:
    """Whether source pixel (i, j) is visible in the target frame, between four pixels of its surface.

    Args:
        n: the index of its transform, or -1.
        x, y, d: its place, motion pixels, and depth in the target frame.
    """
    h, w = p.source.shape
    surface = p.source[j, i]
    if not (x >= 0 and x <= w - 1 and y >= 0 and y <= h - 1):
        return False
    left, right, top, bottom, tx, ty = corners(x, y, h, w)
    if not all_of(p.target, surface, top, bottom, left, right):
        return False
    if n >= 0:
        return depth_agrees(p, surface, x, y, d)
    r = p.reverse
    bx, _, _ = blend(r[top, left, 0], r[top, right, 0], r[bottom, left, 0], r[bottom, right, 0], tx, ty)
    by, _, _ = blend(r[top, left, 1], r[top, right, 1], r[bottom, left, 1], r[bottom, right, 1], tx, ty)
    residual_x, residual_y = (x + bx) - f32(i), (y + by) - f32(j)
    return residual_x * residual_x + residual_y * residual_y <= INTERIOR_TOLERANCE


@kernel
def advect_pixels(n: int, p: Pass, flow: Array, transform_of: Array, returns: Array) -> None:
    """Computes the flow of the source pixels of row n, and whether they are visible in the target frame.

    Args:
        flow, transform_of: receive these fields of ``Pass``, unless no surface has a transform. ``p`` has the motion's
            flow.
        returns: (h, w) bool: receives the visibility.
    """
    for i in range(p.source.shape[1]):
        vx, vy, d, transform = p.flow[n, i, 0], p.flow[n, i, 1], 0.0, -1
        if p.surfaces.size > 0:
            transform, to_x, to_y, d = transform_of_pixel(p, n, i)
            if transform >= 0:
                vx, vy = f32(to_x), f32(to_y)
            flow[n, i, 0], flow[n, i, 1], transform_of[n, i] = vx, vy, transform
        returns[n, i] = is_visible(p, n, i, transform, f32(i) + vx, f32(n) + vy, d)


@kernel
def mark_interior(n: int, p: Pass, returns: Array, interior: Array) -> None:
    """Marks the interior squares between the source pixels of rows n and n + 1."""
    s, r = p.source, returns
    for i in range(s.shape[1] - 1):
        unoccluded = r[n, i] & r[n, i + 1] & r[n + 1, i] & r[n + 1, i + 1]
        same = (s[n, i] == s[n, i + 1]) & (s[n, i] == s[n + 1, i]) & (s[n, i] == s[n + 1, i + 1])
        interior[n, i] = unoccluded & same
