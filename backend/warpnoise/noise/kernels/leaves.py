"""The leaves of the target frame at which particles are spawned: disoccluded, and outside of known particles' areas.

Without the second condition, the border of a surface that returns would get new noise beside its own.
"""

from __future__ import annotations

import math

from .compile import kernel, scalar, separate
from .random import mix_level
from .sampling import depth_test, pixel_at
from .tree import node_at, point_of, scrambled_point, scrambles, size_of
from .types import LEVEL, VISIBLE, Leaves, Pass, Step, Tree, f32, f64, i64
from .visibility import advect_point, is_interior

REACH = 2.0
"""In leaves along x and y. Beyond this distance from a particle, its area drops no leaves."""
SLACK = 0.02
"""The fraction by which the sides of an area are enlarged, so that there are no gaps between neighbors."""
BELOW_ONE = 1 - 2.0**-24
"""The product of a positive float32 and this rounds to the next smaller float32."""


@kernel
def place_leaves(n: int, tree: Tree, leaves: Leaves) -> None:
    """Computes the points of all leaves of pixel ``pixels[n]``, which are inside the pixel even after rounding."""
    shift, side = tree.shift, 1 << tree.shift
    column, row = leaves.pixels[n] % tree.width, leaves.pixels[n] // tree.width
    columns, rows = scrambles(tree, leaves.frame, column, row)
    level_bits = mix_level(tree.seed, leaves.frame, tree.leaf)
    right, lower = f32((column + 1) * BELOW_ONE), f32((row + 1) * BELOW_ONE)
    for j in range(side):
        for i in range(side):
            x, y = scrambled_point(tree, level_bits, columns, rows, (column << shift) + i, (row << shift) + j)
            leaves.points[n, j, i, 0], leaves.points[n, j, i, 1] = min(f32(x), right), min(f32(y), lower)
    leaves.slots[leaves.pixels[n]] = n


@kernel
def keep_disoccluded(n: int, p: Pass, tree: Tree, leaves: Leaves) -> None:
    """Drops the leaves of pixel ``pixels[n]`` whose points were visible in the old frame; marks pixels near others.

    ``p`` is the backward pass, from the new frame.
    """
    points, left = leaves.points[n], False
    for j in range(points.shape[0]):
        for i in range(points.shape[1]):
            x, y = points[j, i, 0], points[j, i, 1]
            if is_interior(p, x, y) or advect_point(p, tree, x, y)[0] == VISIBLE:
                points[j, i, 0] = math.nan
            else:
                left = True
    if left and p.surfaces.size > 0:  # without transforms, no surface returns
        column, row = leaves.pixels[n] % tree.width, leaves.pixels[n] // tree.width
        for near_row in range(max(row - 1, 0), min(row + 2, tree.height)):
            for near_column in range(max(column - 1, 0), min(column + 2, tree.width)):
                leaves.near[near_row * tree.width + near_column] = 1


@scalar
def is_near(tree: Tree, leaves: Leaves, x: float, y: float) -> bool:
    """Whether the pixel of a point, which may lie outside of the frame, is within reach of leaves."""
    if not (x >= -1 and x < tree.width + 1 and y >= -1 and y < tree.height + 1):
        return False
    pixel = min(max(i64(y), 0), tree.height - 1) * tree.width + min(max(i64(x), 0), tree.width - 1)
    return leaves.near[pixel] != 0  # type: ignore[no-any-return]


@scalar
def reached(place: float, reach: float, count: int) -> tuple[int, int]:
    """The range of leaves, out of ``count`` along an axis, that a particle's area may contain."""
    reach = min(reach, REACH)
    return max(i64(math.floor(place - reach)), 0), min(i64(math.floor(place + reach)) + 1, count)


@separate
def drop_leaves_in(
    s: Step, leaves: Leaves, n: int, surface: int, px: float, py: float, x_u: float, x_v: float, y_u: float, y_v: float,
    d: float, d_u: float, d_v: float,
) -> None:  # fmt: skip
    """Drops the leaves whose points lie in the area of particle n, on its surface and at its depth.

    Args:
        px, py: the particle's place, noise pixels.
        x_u, x_v, y_u, y_v: its Jacobian.
        d, d_u, d_v: its depth, and the derivatives by the place at spawn. NaN: the particle is visible, so there is no
            depth test.
    """
    p, tree = s.motion, s.tree
    determinant = x_u * y_v - x_v * y_u
    if determinant == 0:
        return
    shift, side, last = tree.shift, 1 << tree.shift, (1 << tree.shift) - 1
    width, height = size_of(tree, i64(s.particles.origin[n]) & LEVEL)
    across, down = (1 + SLACK) * side * width, (1 + SLACK) * side * height
    first_i, end_i = reached(px * side, abs(x_u) * across + abs(x_v) * down, tree.width * side)
    first_j, end_j = reached(py * side, abs(y_u) * across + abs(y_v) * down, tree.height * side)
    left, right, top, bottom, placed = 0.0, 0.0, 0.0, 0.0, False
    for j in range(first_j, end_j):
        for i in range(first_i, end_i):
            slot = leaves.slots[(j >> shift) * tree.width + (i >> shift)]
            if slot < 0:
                continue
            x, y = leaves.points[slot, j & last, i & last, 0], leaves.points[slot, j & last, i & last, 1]
            if math.isnan(x) or p.target[pixel_at(p, x, y)] != surface:
                continue
            if not placed:  # the node's rectangle in the frame of spawn, relative to the particle's point
                node, placed = node_at(s.particles, n), True
                u, v = point_of(tree, node)
                left, right = (node.ix - SLACK) * width - u, (node.ix + 1 + SLACK) * width - u
                top, bottom = (node.iy - SLACK) * height - v, (node.iy + 1 + SLACK) * height - v
            off_x, off_y = f64(x) - px, f64(y) - py
            off_u = (y_v * off_x - x_v * off_y) / determinant
            off_v = (x_u * off_y - y_u * off_x) / determinant
            if not (left <= off_u <= right and top <= off_v <= bottom):
                continue
            if not (math.isnan(d) or depth_test(p, surface, x, y, d + d_u * off_u + d_v * off_v)):
                continue
            leaves.points[slot, j & last, i & last, 0] = math.nan  # several threads may write this


@scalar
def drop_leaves(s: Step, leaves: Leaves, n: int) -> None:
    """Drops the leaves in the area of visible particle n."""
    a, p, no = s.particles, s.motion, math.nan
    x, y = a.x[n], a.y[n]
    if is_near(s.tree, leaves, x, y):
        surface = p.target[pixel_at(p, x, y)]
        x_u, x_v, y_u, y_v = f64(a.x_u[n]), f64(a.x_v[n]), f64(a.y_u[n]), f64(a.y_v[n])
        drop_leaves_in(s, leaves, n, surface, f64(x), f64(y), x_u, x_v, y_u, y_v, no, no, no)
