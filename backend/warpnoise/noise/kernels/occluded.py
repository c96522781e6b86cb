"""Occluded particles: places in depth that a transform moves."""

from __future__ import annotations

import math

from .compile import kernel, scalar
from .leaves import arrive, stay_occluded
from .rigid import FARTHEST, find, project, push
from .sampling import HALF, depth_test, inside, pixel_at, sample_depth
from .tree import measure_of, node_at, split_area
from .types import DEAD, LARGE, OCCLUDED, VISIBLE, Array, Leaves, Step, f32, f64, i64


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
        slope_x, slope_y: how depth changes on the visible surface; NaN: as in ``occluded.slope``.

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


@scalar
def settle(s: Step, n: int, entry: int, occluded: bool) -> None:
    """Particle n stays occluded, or dies and leaves a gap."""
    s.particles.state[n] = OCCLUDED if occluded else DEAD
    s.occluded.row[entry] = n if occluded else -1


@kernel
def occlude(n: int, s: Step, first: int, leaves: Leaves, flags: Array) -> None:
    """Moves a LEAVING particle, entry ``first + n`` of ``occluded``, by the transform of the source pixel in which it
    was."""
    entry, p = first + n, s.motion
    at = s.occluded.row[entry]
    if at < 0:
        return
    x, y = s.particles.x[at], s.particles.y[at]
    row, column = pixel_at(p.source, p, x, y)
    xs, ys = x * p.sx - HALF, y * p.sy - HALF
    _, d, slope_x, slope_y, _ = sample_depth(p.source_depth, p.source, p.source[row, column], xs, ys)
    transform = p.transform_of[row, column]
    _, front = push_particle(s, at, entry, transform, f64(xs), f64(ys), f64(d), f64(slope_x), f64(slope_y))
    s.occluded.behind[entry], s.occluded.surface[entry] = not front, p.source[row, column]
    settle(s, at, entry, is_trackable(s, at, entry))
    if s.particles.state[at] == OCCLUDED:
        stay_occluded(s, leaves, flags, at, entry)


@kernel
def occlude_beside(n: int, s: Step, first: int, beside: Array) -> None:
    """Depth of an occluded half, entry ``first + n`` of ``occluded``, on the extrapolation of its surface from the
    visible half in row ``beside[n]``. It dies if its surface has no transform."""
    entry, p, particles = first + n, s.motion, s.particles
    at = s.occluded.row[entry]
    if at < 0:
        return
    x, y, j = particles.x[beside[n]], particles.y[beside[n]], particles.jacobian
    row, column = pixel_at(p.target, p, x, y)
    surface = p.target[row, column]
    known, d, slope_x, slope_y, _ = sample_depth(p.target_depth, p.target, surface, x * p.sx - HALF, y * p.sy - HALF)
    slope_x, slope_y = slope_x * p.sx, slope_y * p.sy
    for part in range(2):
        s.occluded.slope[entry, part] = slope_x * j[at, part] + slope_y * j[at, 2 + part]
    s.occluded.depth[entry] = d + (slope_x * (particles.x[at] - x) + slope_y * (particles.y[at] - y))
    s.occluded.behind[entry], s.occluded.surface[entry] = False, surface
    settle(s, at, entry, known and find(p.surfaces, i64(surface)) >= 0 and is_trackable(s, at, entry))


@kernel
def advect_occluded(n: int, s: Step, leaves: Leaves, flags: Array) -> None:
    """Moves an occluded particle, entry n of ``occluded``. It dies if its surface has no transform in this step, and is
    visible again if the target frame shows its surface at its depth."""
    particles, occluded, p = s.particles, s.occluded, s.motion
    at = occluded.row[n]
    if at < 0:
        return
    settle(s, at, n, False)
    transform = find(p.surfaces, i64(occluded.surface[n]))
    if transform < 0:
        return
    x, y = f64(particles.x[at]) * f64(p.sx) - 0.5, f64(particles.y[at]) * f64(p.sy) - 0.5
    d, front = push_particle(s, at, n, transform, x, y, f64(occluded.depth[n]), math.nan, math.nan)
    # Homogeneous points keep a sign: what passes behind the camera comes back on the right side.
    occluded.behind[n] = occluded.behind[n] != (not front)
    if not is_trackable(s, at, n):
        return
    x1, y1, j = particles.x[at], particles.y[at], particles.jacobian
    if occluded.behind[n] or not inside(p, x1, y1) or not depth_test(p, occluded.surface[n], x1, y1, d):
        settle(s, at, n, True)
        stay_occluded(s, leaves, flags, at, n)
        return
    area = abs(j[at, 0] * j[at, 3] - j[at, 1] * j[at, 2]) * measure_of(s.tree, particles, at)
    particles.state[at] = LARGE if area > split_area(s.tree, node_at(particles, at)) else VISIBLE
    arrive(s, leaves, flags, at)
