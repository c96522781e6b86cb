"""Occluded particles: places in depth that a transform moves."""

from __future__ import annotations

import math

from .compile import scalar
from .rigid import FARTHEST, project, push
from .types import Step, f32, f64


@scalar
def is_trackable(s: Step, n: int, entry: int) -> bool:
    """Whether an occluded particle's place is a number, and not absurdly far away."""
    x, y, j = s.particles.x[n], s.particles.y[n], s.particles.jacobian
    total = (j[n, 0] + j[n, 1]) + (j[n, 2] + j[n, 3])
    total += (s.occluded.slope[entry, 0] + s.occluded.slope[entry, 1]) + s.occluded.depth[entry]
    return math.isfinite(total) and abs(x) < FARTHEST and abs(y) < FARTHEST


@scalar
def push_particle(
    s: Step, n: int, entry: int, transform: int, x: float, y: float, d: float, slope_x: float, slope_y: float
) -> tuple[float, bool]:
    """Moves particle n, an entry of ``occluded``, from (x, y, d) in motion pixels: place, depth, Jacobian and slope.

    Args:
        slope_x, slope_y: how depth changes on the visible surface; NaN: ``occluded.slope`` tells.

    Returns:
        The depth in float64, and whether the point is in front of the camera if it was.
    """
    p, j, slope = s.motion, s.particles.jacobian, s.occluded.slope
    px, py, pd, inverse, front = project(p.transforms, transform, x, y, d)
    sx, sy, ux, uy = f64(p.sx), f64(p.sy), f64(p.ux), f64(p.uy)
    for part in range(2):  # along u and along v, from spawn to here and on
        dx, dy = f64(j[n, part]) * sx, f64(j[n, 2 + part]) * sy
        dd = f64(slope[entry, part]) if math.isnan(slope_x) else slope_x * dx + slope_y * dy
        to_x, to_y, to_d = push(p.transforms, transform, px, py, pd, inverse, dx, dy, dd)
        j[n, part], j[n, 2 + part], slope[entry, part] = f32(to_x * ux), f32(to_y * uy), f32(to_d)
    s.particles.x[n], s.particles.y[n] = f32((px + 0.5) * ux), f32((py + 0.5) * uy)
    s.occluded.depth[entry] = f32(pd)
    return pd, front
