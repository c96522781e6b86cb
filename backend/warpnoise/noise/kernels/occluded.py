"""Occluded particles, which move by the transforms of their surfaces.

An occluded particle keeps the place, the depth and the Jacobian that it had when it became occluded. Its group composes
the transforms of all steps since then. So a step needs one projection, and the Jacobian only where the particle becomes
visible or is near disoccluded pixels.
"""

from __future__ import annotations

import math

from .compile import kernel
from .leaves import drop_leaves, drop_leaves_in, is_near
from .rigid import find, project, push
from .sampling import depth_test, pixel_at, sample_depth
from .tree import inside, put_place, visible_state
from .types import DEAD, HALF, OCCLUDED, Array, Leaves, Step, f32, f64, i64


@kernel
def occlude(n: int, s: Step, first: int, group: int, surfaces: Array, depths: Array, beside: Array) -> None:
    """Makes a particle occluded, in entry ``first + n`` of ``occluded``. It dies if its surface has no transform.

    Surface and depth are those at the particle of row ``beside[n]``, which may be the same one, and are extrapolated.

    Args:
        group: the group of the first of ``motion.surfaces``. The groups of the others follow.
        surfaces, depths: the surfaces and depths of a frame.
    """
    entry, p, particles, occluded = first + n, s.motion, s.particles, s.occluded
    at = occluded.row[entry]
    if at < 0:
        return
    x, y = particles.x[beside[n]], particles.y[beside[n]]
    surface = surfaces[pixel_at(p, x, y)]
    known, d, slope_x, slope_y, _ = sample_depth(depths, surfaces, surface, x * p.sx - HALF, y * p.sy - HALF)
    slope_x, slope_y = slope_x * p.sx, slope_y * p.sy
    transform = find(p.surfaces, i64(surface))
    occluded.x[entry], occluded.y[entry] = particles.x[at], particles.y[at]
    occluded.depth[entry] = d + (slope_x * (particles.x[at] - x) + slope_y * (particles.y[at] - y))
    occluded.slope[entry, 0] = slope_x * particles.x_u[at] + slope_y * particles.y_u[at]
    occluded.slope[entry, 1] = slope_x * particles.x_v[at] + slope_y * particles.y_v[at]
    occluded.group[entry] = group + transform
    particles.state[at] = OCCLUDED
    if not known or transform < 0:
        particles.state[at], occluded.row[entry] = DEAD, -1


@kernel
def advect_occluded(n: int, s: Step, leaves: Leaves) -> None:
    """Moves the occluded particle of entry n.

    It becomes visible if the target frame shows its surface at its depth. Otherwise, it drops the leaves in its area,
    because the surface may be visible beside its point. It dies if its surface has no transform in this step.
    """
    a, occluded, t = s.particles, s.occluded, s.groups.transform
    at = occluded.row[n]
    if at < 0:
        return
    group = occluded.group[n]
    px, py, d, inverse, front = project(t, group, f64(occluded.x[n]), f64(occluded.y[n]), f64(occluded.depth[n]))
    if not front:
        if math.isnan(t[group, 3, 3]):
            a.state[at], occluded.row[n] = DEAD, -1
        return
    x, y, surface = f32(px), f32(py), s.groups.surface[group]
    visible = inside(s.tree, x, y) and depth_test(s.motion, surface, x, y, d)
    if not (visible or is_near(s.tree, leaves, x, y)):
        return
    x_u, y_u, d_u = push(t, group, px, py, d, inverse, f64(a.x_u[at]), f64(a.y_u[at]), f64(occluded.slope[n, 0]))
    x_v, y_v, d_v = push(t, group, px, py, d, inverse, f64(a.x_v[at]), f64(a.y_v[at]), f64(occluded.slope[n, 1]))
    if not visible:
        drop_leaves_in(s, leaves, at, surface, px, py, x_u, x_v, y_u, y_v, d, d_u, d_v)
        return
    occluded.row[n] = -1
    put_place(a, at, x, y, x_u, x_v, y_u, y_v)
    a.state[at] = visible_state(s.tree, a, at)
    drop_leaves(s, leaves, at)
