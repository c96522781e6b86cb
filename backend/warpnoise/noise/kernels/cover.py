"""Leaves of the target frame that are covered by known particles: where a surface comes back, nothing is spawned."""

from __future__ import annotations

import math

from .compile import kernel, scalar
from .random import mix_level
from .sampling import HALF, depth_agrees, pixel_at, sample_depth
from .tree import leaf_place, level_of, node_at, point_of, scrambled_point, scrambles, size_of
from .types import VISIBLE, Array, Leaves, Node, Step, Tree, f32, f64, i64

REACH = 2.0
"""Leaves along x and y beyond which a particle covers none."""
SLACK = 0.02
"""Of an area's sides: so that no crack is left between neighbours."""


@scalar
def any_open(s: Step, leaves: Leaves, first_j: int, end_j: int, first_i: int, end_i: int) -> bool:
    """Whether pixels with leaves in these rows and columns of leaves spawn any."""
    shift = (s.tree.leaf >> 1) - s.tree.halvings
    for row in range(first_j >> shift, ((end_j - 1) >> shift) + 1):
        for column in range(first_i >> shift, ((end_i - 1) >> shift) + 1):
            if leaves.slots[row * s.tree.width + column] >= 0:
                return True
    return False


@scalar
def reached(place: float, reach: float, count: int) -> tuple[int, int]:
    """The first leaf of ``count`` in a row that a particle's area may reach, and the one after the last."""
    reach = min(reach, REACH)
    return max(i64(math.floor(place - reach)), 0), min(i64(math.floor(place + reach)) + 1, count)


@scalar
def cover_leaves(s: Step, n: int, entry: int, leaves: Leaves, near: Array) -> None:
    """Marks the leaves to be spawned whose points lie in a particle's area, on its surface, at its depth.

    Args:
        n: the particle's row.
        entry: its row in ``occluded``; -1: it is visible.
        near: (height + 2, width + 2) bool: pixels, and a margin, in or beside which leaves are to be spawned.
    """
    particles, p, tree = s.particles, s.motion, s.tree
    px, py = particles.x[n], particles.y[n]
    if not (px >= -1 and px < tree.width + 1 and py >= -1 and py < tree.height + 1):
        return
    if not near[i64(math.floor(py)) + 1, i64(math.floor(px)) + 1] or (entry >= 0 and s.occluded.behind[entry]):
        return
    j00, j01 = f64(particles.jacobian[n, 0]), f64(particles.jacobian[n, 1])
    j10, j11 = f64(particles.jacobian[n, 2]), f64(particles.jacobian[n, 3])
    determinant = j00 * j11 - j01 * j10
    if determinant == 0:
        return
    shift = (tree.leaf >> 1) - tree.halvings
    side, last = 1 << shift, (1 << shift) - 1
    size = size_of(tree, level_of(tree, particles, n))
    across, down = (1 + SLACK) * side * size[0], (1 + SLACK) * side * size[1]
    first_i, end_i = reached(px * side, abs(j00) * across + abs(j01) * down, tree.width * side)
    first_j, end_j = reached(py * side, abs(j10) * across + abs(j11) * down, tree.height * side)
    if not any_open(s, leaves, first_j, end_j, first_i, end_i):
        return
    node, u, v, placed = Node(0, 0, 0, 0), 0.0, 0.0, False
    row, column = pixel_at(p.target, p, px, py)
    surface = s.occluded.surface[entry] if entry >= 0 else p.target[row, column]
    for j in range(first_j, end_j):
        for i in range(first_i, end_i):
            slot = leaves.slots[(j >> shift) * tree.width + (i >> shift)]
            if slot < 0:
                continue
            x, y = leaves.points[slot, j & last, i & last, 0], leaves.points[slot, j & last, i & last, 1]
            if math.isnan(x) or leaves.covered[slot, j & last, i & last]:
                continue
            row, column = pixel_at(p.target, p, x, y)
            if p.target[row, column] != surface:
                continue
            if not placed:
                node, placed = node_at(particles, n), True
                u, v = point_of(tree, node)
            # Back to the frame of spawn: is the point in the node's rectangle there?
            off_x, off_y = f64(x) - px, f64(y) - py
            off_u = (j11 * off_x - j01 * off_y) / determinant
            off_v = (j00 * off_y - j10 * off_x) / determinant
            if not in_rectangle(size, node, u + off_u, v + off_v):
                continue
            if entry >= 0:
                d = (
                    f64(s.occluded.depth[entry])
                    + s.occluded.slope[entry, 0] * off_u
                    + s.occluded.slope[entry, 1] * off_v
                )
                xs, ys = x * p.sx - HALF, y * p.sy - HALF
                _, value, _, _, spread = sample_depth(p.target_depth, p.target, surface, xs, ys)
                if not depth_agrees(d, f64(value), f64(spread)):
                    continue
            leaves.covered[slot, j & last, i & last] = True


@scalar
def in_rectangle(size: tuple[float, float], node: Node, u: float, v: float) -> bool:
    across, down = u / size[0] - node.ix, v / size[1] - node.iy
    return across >= -SLACK and across <= 1 + SLACK and down >= -SLACK and down <= 1 + SLACK


@kernel
def place_leaves(n: int, tree: Tree, frame: int, leaves: Leaves) -> None:
    """The points of the leaves of pixel ``pixels[n]``."""
    shift = (tree.leaf >> 1) - tree.halvings
    column, row = leaves.pixels[n] % tree.width, leaves.pixels[n] // tree.width
    columns, rows = scrambles(tree, frame, column, row)
    level_bits = mix_level(tree.seed, frame, tree.leaf)
    leaves.slots[leaves.pixels[n]] = n
    for leaf in range(1 << (2 * shift)):
        i, j = leaf_place(leaf, shift)
        x, y = math.nan, math.nan
        if (leaves.masks[n] >> leaf) & 1:
            x, y = scrambled_point(tree, level_bits, columns, rows, (column << shift) + i, (row << shift) + j)
        leaves.points[n, j, i, 0], leaves.points[n, j, i, 1], leaves.covered[n, j, i] = f32(x), f32(y), False


@kernel
def cover(n: int, s: Step, leaves: Leaves, near: Array) -> None:
    """Marks leaves that a known particle covers: row n of the table if it is visible, then the entries of
    ``occluded``. Threads may mark a leaf twice."""
    entry = n - s.particles.x.shape[0]
    if entry < 0:
        if s.particles.state[n] == VISIBLE:
            cover_leaves(s, n, -1, leaves, near)
    elif s.occluded.row[entry] >= 0:
        cover_leaves(s, s.occluded.row[entry], entry, leaves, near)


@kernel
def uncover(n: int, tree: Tree, leaves: Leaves, masks: Array) -> None:
    """Takes the covered leaves of pixel ``pixels[n]`` out of its mask."""
    shift = (tree.leaf >> 1) - tree.halvings
    for leaf in range(1 << (2 * shift)):
        i, j = leaf_place(leaf, shift)
        if leaves.covered[n, j, i]:
            masks[leaves.pixels[n]] &= ~(i64(1) << leaf)
