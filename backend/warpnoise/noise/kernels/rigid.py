"""Rigid motion of surfaces: T @ (x, y, d, 1) ~ (x', y', d', 1), in noise pixels and projective depth.

The arithmetic is float64, because differences of depths decide what is occluded, and far surfaces have small depths.
"""

from __future__ import annotations

import math

from .compile import scalar
from .types import Array, Pass, f64, i64, u64

STRAYS = 0.25
"""In motion pixels. A pixel whose flow differs by more from its surface's transform moves by its flow."""


@scalar
def find(surfaces: Array, surface: int) -> int:
    """The index of a surface in a sorted array, or -1."""
    low, high = 0, len(surfaces)
    while low < high:
        middle = (low + high) >> 1
        if surfaces[middle] < surface:
            low = middle + 1
        else:
            high = middle
    return low if low < len(surfaces) and surfaces[low] == surface else -1


@scalar
def project(t: Array, n: int, x: float, y: float, d: float) -> tuple[float, float, float, float, bool]:
    """Moves a point by transform ``n``. Returns x, y and d; 1 / w; and whether it is in front of the camera."""
    n = u64(n)
    w = ((t[n, 3, 0] * x + t[n, 3, 1] * y) + t[n, 3, 2] * d) + t[n, 3, 3]
    inverse = 1.0 / w
    px = (((t[n, 0, 0] * x + t[n, 0, 1] * y) + t[n, 0, 2] * d) + t[n, 0, 3]) * inverse
    py = (((t[n, 1, 0] * x + t[n, 1, 1] * y) + t[n, 1, 2] * d) + t[n, 1, 3]) * inverse
    pd = (((t[n, 2, 0] * x + t[n, 2, 1] * y) + t[n, 2, 2] * d) + t[n, 2, 3]) * inverse
    return px, py, pd, inverse, w > 0


@scalar
def push(
    t: Array, n: int, px: float, py: float, pd: float, inverse: float, dx: float, dy: float, dd: float
) -> tuple[float, float, float]:
    """The derivative of :func:`project` along (dx, dy, dd), at the point whose image is (px, py, pd)."""
    n = u64(n)
    w = (t[n, 3, 0] * dx + t[n, 3, 1] * dy) + t[n, 3, 2] * dd
    return (
        (((t[n, 0, 0] * dx + t[n, 0, 1] * dy) + t[n, 0, 2] * dd) - px * w) * inverse,
        (((t[n, 1, 0] * dx + t[n, 1, 1] * dy) + t[n, 1, 2] * dd) - py * w) * inverse,
        (((t[n, 2, 0] * dx + t[n, 2, 1] * dy) + t[n, 2, 2] * dd) - pd * w) * inverse,
    )


@scalar
def transform_of_pixel(p: Pass, j: int, i: int) -> tuple[int, float, float, float]:
    """The index of a source pixel's transform, its flow, which is NaN behind the camera, and its depth in the target
    frame. The index is -1 if the surface has no transform, or the pixel's flow disagrees with it."""
    n = find(p.surfaces, i64(p.source[j, i]))
    d = f64(p.source_depth[j, i, 0])
    if n < 0 or not math.isfinite(d):
        return -1, 0.0, 0.0, 0.0
    x, y = (i + 0.5) * f64(p.ux), (j + 0.5) * f64(p.uy)
    px, py, pd, _, front = project(p.transforms, n, x, y, d)
    vx, vy = (px - x) * f64(p.sx), (py - y) * f64(p.sy)
    known = front and math.isfinite(p.flow[j, i, 0]) and math.isfinite(p.flow[j, i, 1])
    if known and max(abs(vx - p.flow[j, i, 0]), abs(vy - p.flow[j, i, 1])) > STRAYS:
        return -1, 0.0, 0.0, 0.0
    return n, vx if front else math.nan, vy, pd
