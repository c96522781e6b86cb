"""Which particles are merged where the picture shrinks: two halves of one node, near each other on one surface.

Halves find each other by a hash of their parents.
"""

from __future__ import annotations

from .compile import kernel
from .random import S1, S32
from .sampling import pixel_at
from .tree import area_of, bits_of, half_with, node_at, parent_of, point_of, put_node, side_in_parent, split_area
from .types import DEAD, VISIBLE, Array, Node, Particles, Step, Tree, f32, i64

MERGE_BELOW = f32(0.75)
"""Halves are merged if their whole covers less than this part of the area at which it would split again."""
NEAR = 2
"""Noise pixels along x and y: halves farther apart are not merged."""


@kernel
def find_small(n: int, particles: Particles, tree: Tree, small: Array) -> None:
    """Whether particle n is visible and covers so little that its parent may take its place."""
    small[n] = False
    if particles.state[n] == VISIBLE:
        area = 2 * area_of(tree, particles, n)
        if area < MERGE_BELOW * (tree.least + tree.least):
            node = node_at(particles, n)
            small[n] = node.level > 0 and area < MERGE_BELOW * split_area(tree, parent_of(node))


@kernel
def hash_parents(n: int, particles: Particles, tree: Tree, rows: Array, parents: Array) -> None:
    """``parents[n]``: 63 bits that tell the parent of row ``rows[n]`` from most others."""
    whole = parent_of(node_at(particles, rows[n]))
    bits = bits_of(tree, whole)
    parents[n] = i64(((bits >> S1) << S32) | bits_of(tree, Node(whole.frame, whole.level + 64, whole.ix, whole.iy)))


@kernel
def merge(n: int, s: Step, first: Array, second: Array, kept: Array, dropped: Array) -> None:
    """If the particles of rows ``first[n]`` and ``second[n]`` are siblings near each other, their parent takes the row
    of the one with its point, ``kept[n]``, and the other one dies, ``dropped[n]``. Else both are -1."""
    particles, p, x, y = s.particles, s.motion, s.particles.x, s.particles.y
    kept[n], dropped[n] = -1, -1
    a, b = first[n], second[n]
    half = node_at(particles, b)
    whole = parent_of(half)
    if parent_of(node_at(particles, a)) != whole:
        return
    near = abs(x[a] - x[b]) < NEAR and abs(y[a] - y[b]) < NEAR
    if near and p.target[pixel_at(p, x[a], y[a])] == p.target[pixel_at(p, x[b], y[b])]:
        u, v = point_of(s.tree, whole)
        holds = side_in_parent(half) == half_with(s.tree, whole, u, v)
        kept[n], dropped[n] = (b, a) if holds else (a, b)
        put_node(particles, kept[n], whole)
        particles.state[dropped[n]] = DEAD
