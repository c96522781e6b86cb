"""Leaves of the target frame to be spawned: those that show something new and lie in no known particle's area.

Without the second test, the noise of a surface that comes back would be mixed with new noise along its border.
"""

from __future__ import annotations

import math

from .compile import kernel, scalar, separate
from .random import mix_level
from .sampling import HALF, depth_agrees, pixel_at, sample_depth
from .tree import (
    node_at,
    pixel_of,
    point_of,
    scrambled_point,
    scrambles,
    size_of,
)
from .types import LEVEL, NEAR, OCCUPIED, VISIBLE, Array, Leaves, Pass, Step, Tree, f32, f64, i64
from .visibility import advect_point, is_interior

REACH = 2.0
"""Leaves along x and y beyond which a particle's area is not looked at."""
SLACK = 0.02
"""Of an area's sides: so that no crack is left between neighbors."""


@scalar
def shows_known(p: Pass, x: float, y: float) -> bool:
    """Whether the backward pass ``p`` leads from a point of the new frame to where the old frame showed it."""
    row, column = pixel_at(p.source, p, x, y)
    return is_interior(p, row, column) or advect_point(p, x, y)[0] == VISIBLE


@kernel
def find_disoccluded(n: int, p: Pass, tree: Tree, frame: int, disoccluded: Array) -> None:
    """Which pixels of row n, (height, width) bool, have leaves that show what the old frame did not.

    Args:
        p: the backward pass, from the new frame.
    """
    h, w = p.source.shape
    shift = (tree.leaf >> 1) - tree.halvings
    same_size = h == tree.height and w == tree.width
    level_bits = mix_level(tree.seed, frame, tree.leaf)
    side = 1 << shift
    for column in range(tree.width):
        found = False
        # A leaf's point may round into the pixel to the right or below.
        right, below = min(column + 1, w - 1), min(n + 1, h - 1)
        known = same_size and is_interior(p, n, column) and is_interior(p, n, right)
        if not (known and is_interior(p, below, column) and is_interior(p, below, right)):
            columns, rows = scrambles(tree, frame, column, n)
            for leaf in range(side * side):
                i, j = (column << shift) + leaf % side, (n << shift) + leaf // side
                u, v = scrambled_point(tree, level_bits, columns, rows, i, j)
                if not shows_known(p, f32(u), f32(v)):
                    found = True
                    break
        disoccluded[n, column] = found


@kernel
def place_leaves(n: int, tree: Tree, frame: int, leaves: Leaves) -> None:
    """The points of all leaves of pixel ``pixels[n]``."""
    shift = (tree.leaf >> 1) - tree.halvings
    column, row = leaves.pixels[n] % tree.width, leaves.pixels[n] // tree.width
    columns, rows = scrambles(tree, frame, column, row)
    level_bits = mix_level(tree.seed, frame, tree.leaf)
    for j in range(1 << shift):
        for i in range(1 << shift):
            x, y = scrambled_point(tree, level_bits, columns, rows, (column << shift) + i, (row << shift) + j)
            leaves.points[n, j, i, 0], leaves.points[n, j, i, 1] = f32(x), f32(y)


@kernel
def drop_shown(n: int, p: Pass, tree: Tree, leaves: Leaves, flags: Array) -> None:
    """Drops the leaves of pixel ``pixels[n]`` that the old frame showed, and flags pixels within reach as NEAR."""
    column, row = leaves.pixels[n] % tree.width, leaves.pixels[n] // tree.width
    points = leaves.points[n]
    for j in range(points.shape[0]):
        for i in range(points.shape[1]):
            if shows_known(p, points[j, i, 0], points[j, i, 1]):
                points[j, i, 0] = math.nan
    leaves.slots[leaves.pixels[n]] = n
    for near_row in range(max(row - 1, 0), min(row + 2, tree.height)):
        for near_column in range(max(column - 1, 0), min(column + 2, tree.width)):
            flags[near_row * tree.width + near_column] = NEAR


@scalar
def reached(place: float, reach: float, count: int) -> tuple[int, int]:
    """The first leaf of ``count`` in a row that a particle's area may reach, and the one after the last."""
    reach = min(reach, REACH)
    return max(i64(math.floor(place - reach)), 0), min(i64(math.floor(place + reach)) + 1, count)


@separate
def drop_leaves_in(s: Step, leaves: Leaves, n: int, entry: int) -> None:
    """Drops the leaves whose points lie in the area of particle n, on its surface, at its depth.

    Args:
        entry: the particle's row in ``occluded``; -1: it is visible.
    """
    particles, p, tree = s.particles, s.motion, s.tree
    px, py, jacobian = particles.x[n], particles.y[n], particles.jacobian
    j00, j01, j10, j11 = f64(jacobian[n, 0]), f64(jacobian[n, 1]), f64(jacobian[n, 2]), f64(jacobian[n, 3])
    determinant = j00 * j11 - j01 * j10
    if determinant == 0 or (entry >= 0 and s.occluded.behind[entry]):
        return
    shift = (tree.leaf >> 1) - tree.halvings
    side, last = 1 << shift, (1 << shift) - 1
    width, height = size_of(tree, i64(particles.origin[n]) & LEVEL)
    across, down = (1 + SLACK) * side * width, (1 + SLACK) * side * height
    first_i, end_i = reached(px * side, abs(j00) * across + abs(j01) * down, tree.width * side)
    first_j, end_j = reached(py * side, abs(j10) * across + abs(j11) * down, tree.height * side)
    row, column = pixel_at(p.target, p, px, py)
    surface = s.occluded.surface[entry] if entry >= 0 else p.target[row, column]
    left, right, top, bottom, placed = 0.0, 0.0, 0.0, 0.0, False
    for j in range(first_j, end_j):
        for i in range(first_i, end_i):
            slot = leaves.slots[(j >> shift) * tree.width + (i >> shift)]
            if slot < 0:
                continue
            x, y = leaves.points[slot, j & last, i & last, 0], leaves.points[slot, j & last, i & last, 1]
            if math.isnan(x):
                continue
            row, column = pixel_at(p.target, p, x, y)
            if p.target[row, column] != surface:
                continue
            if not placed:  # the node's rectangle in the frame of spawn, around the particle's point
                node, placed = node_at(particles, n), True
                u, v = point_of(tree, node)
                left, right = (node.ix - SLACK) * width - u, (node.ix + 1 + SLACK) * width - u
                top, bottom = (node.iy - SLACK) * height - v, (node.iy + 1 + SLACK) * height - v
            off_x, off_y = f64(x) - px, f64(y) - py
            off_u = (j11 * off_x - j01 * off_y) / determinant
            off_v = (j00 * off_y - j10 * off_x) / determinant
            if not (left <= off_u <= right and top <= off_v <= bottom):
                continue
            if entry >= 0:
                slope = s.occluded.slope
                d = f64(s.occluded.depth[entry]) + slope[entry, 0] * off_u + slope[entry, 1] * off_v
                xs, ys = x * p.sx - HALF, y * p.sy - HALF
                _, value, _, _, spread = sample_depth(p.target_depth, p.target, surface, xs, ys)
                if not depth_agrees(d, f64(value), f64(spread)):
                    continue
            leaves.points[slot, j & last, i & last, 0] = math.nan  # threads may do it twice


@scalar
def arrive(s: Step, leaves: Leaves, flags: Array, n: int) -> None:
    """Visible particle n occupies its pixel, and drops the leaves in its area."""
    pixel = pixel_of(s.tree, s.particles.x[n], s.particles.y[n])
    flag = flags[pixel]
    if flag != OCCUPIED:  # threads that write the same again and again wait for each other
        if flag & NEAR:
            drop_leaves_in(s, leaves, n, -1)
        flags[pixel] = flag | OCCUPIED


@scalar
def stay_occluded(s: Step, leaves: Leaves, flags: Array, n: int, entry: int) -> None:
    """Occluded particle n drops the leaves in its area: its surface may be seen beside its point."""
    tree, x, y = s.tree, s.particles.x[n], s.particles.y[n]
    if x >= -1 and x < tree.width + 1 and y >= -1 and y < tree.height + 1:
        pixel = min(max(i64(y), 0), tree.height - 1) * tree.width + min(max(i64(x), 0), tree.width - 1)
        if flags[pixel] & NEAR:
            drop_leaves_in(s, leaves, n, entry)
