"""Which particles are merged where the picture shrinks: two halves of one node, near each other on one surface.

Halves find each other in a hash table of their parents.
"""

from __future__ import annotations

from .compile import kernel
from .sampling import pixel_at
from .tree import bits_of, half_with, measure_of, node_at, node_of, parent_of, point_of, side_in_parent, split_area
from .types import VISIBLE, Array, Node, Particles, Step, Tree, f32, i64

MERGE_BELOW = f32(0.75)
"""Halves are merged if their whole covers less than this part of the area at which it would split again."""
NEAR = 2
"""Noise pixels along x and y: halves farther apart are not merged."""


@kernel
def find_small(n: int, particles: Particles, tree: Tree, small: Array) -> None:
    """Whether particle n is visible and covers so little that its parent may take its place."""
    small[n] = False
    if particles.state[n] == VISIBLE:
        j = particles.jacobian
        area = 2 * abs(j[n, 0] * j[n, 3] - j[n, 1] * j[n, 2]) * measure_of(tree, particles, n)
        if area < MERGE_BELOW * (tree.least + tree.least):
            node = node_at(particles, n)
            small[n] = node.level > 0 and area < MERGE_BELOW * split_area(tree, parent_of(node))


@kernel
def hash_parents(n: int, particles: Particles, tree: Tree, rows: Array, salt: int, slots: int, slot: Array) -> None:
    """``slot[n]``: the slot of a hash table, of ``slots``, for the parent of row ``rows[n]``."""
    whole = parent_of(node_at(particles, rows[n]))
    slot[n] = i64(bits_of(tree, Node(whole.frame ^ (salt << 20), whole.level, whole.ix, whole.iy))) % slots


@kernel
def pair_halves(n: int, s: Step, rows: Array, slot: Array, first: Array, kept: Array, dropped: Array) -> None:
    """For the second of two halves in a slot of the hash table that can be merged: the row that the whole keeps, and
    the one that it drops; -1 for all others. ``first``, (slots,) int64, has the first row of each slot."""
    particles, p, x, y = s.particles, s.motion, s.particles.x, s.particles.y
    kept[n], dropped[n] = -1, -1
    a, b = first[slot[n]], rows[n]
    if a == b:
        return
    half = node_at(particles, b)
    whole, other = parent_of(half), parent_of(node_at(particles, a))
    if other.frame != whole.frame or other.level != whole.level or other.ix != whole.ix or other.iy != whole.iy:
        return
    row, column = pixel_at(p.target, p, x[a], y[a])
    other_row, other_column = pixel_at(p.target, p, x[b], y[b])
    near = abs(x[a] - x[b]) < NEAR and abs(y[a] - y[b]) < NEAR
    if near and p.target[row, column] == p.target[other_row, other_column]:
        u, v = point_of(s.tree, whole)
        holds = side_in_parent(half) == half_with(s.tree, whole, u, v)
        kept[n], dropped[n] = (b, a) if holds else (a, b)


@kernel
def merge_roots(n: int, particles: Particles, rows: Array, first: int) -> None:
    """The particle of row ``rows[n]`` carries the whole of which its root is a half: a new root, row ``first + n``."""
    at, root = rows[n], first + n
    whole = parent_of(node_of(particles.roots, particles.root[at], 1))
    particles.roots[root, 0], particles.roots[root, 1] = whole.frame, whole.level
    particles.roots[root, 2], particles.roots[root, 3] = whole.ix, whole.iy
    particles.root[at], particles.path[at] = root, 1
