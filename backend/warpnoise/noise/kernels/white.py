"""White noise at every resolution: the value of a node is the sum of its halves' values, bit by bit.

W(A) ~ N(0, |A|) is refined as Levy built Brownian motion. The halves of an area of measure a and value x have values

    x / 2 + z sqrt(a) / 2   and   x / 2 - z sqrt(a) / 2,   z ~ N(0, 1),

which are independent, of variance a / 2 each, and sum to x: eq. 3 of Chang et al. (ICLR 2024) for two parts. All values
of a level are multiples of one power of two, its quantum, fine enough not to matter and coarse enough for float32 to
hold every value; so the sum of the halves is exact, and sums in float64 are exact in any order.
"""

from __future__ import annotations

from .compile import kernel_with_scratch, scalar
from .random import normals
from .tree import ancestor_of, node_at, power_of_two, row_of, side_in_parent
from .types import DEAD, Array, Node, Particles, Rows, Scratch, Tree, f32, f64, u64

ROOT = 63  # in place of a level: the counters of the base grid's values
GROUP_SHIFT, MAP_SHIFT = 6, 18  # in the counter's last word: the level, the group of four channels, the map
QUANTUM = 20  # a level's values are multiples of their standard deviation (or the next power of 2) times 2**-QUANTUM
HALF, SQRT_HALF = f32(0.5), 0.5**0.5
BLOCK = 64
"""Particles whose values a thread draws in one go: neighbours share most of their ancestors."""
INTEGERS = 1.5 * 2.0**52  # a float64 of this size has no bits for fractions


@scalar
def half_value(tree: Tree, level: int, x: float, z: float, side: int) -> float:
    """Eq. 3: the value of a half of a node of a level and of value x, z being the node's normal value."""
    half_root = power_of_two(tree.halvings - 1 - (level >> 1)) * (SQRT_HALF if level & 1 else 1.0)
    quantum = power_of_two(tree.halvings - QUANTUM - ((level + 1) >> 1))
    first = quantized(x * HALF + z * f32(half_root), quantum)
    return x - first if side else first


@scalar
def quantized(x: float, quantum: float) -> float:
    """The nearest multiple of a power of two, the even one of two. float32."""
    return f32(((f64(x) / quantum + INTEGERS) - INTEGERS) * quantum)


@scalar
def node_normals(tree: Tree, node: Node, level: int, group: int, map_: int) -> tuple[float, float, float, float]:
    """z of a node for the four channels of a group; ``level`` is ROOT for the base grid's values."""
    word = u64(level + (group << GROUP_SHIFT) + (map_ << MAP_SHIFT))
    return normals(u64(node.ix), u64(node.iy), u64(node.frame), word, tree.key0, tree.key1)


@scalar
def descend(tree: Tree, scratch: Scratch, node: Node, last: Node, drawn: int, group: int, map_: int) -> int:
    """Values of a node and all its ancestors, for the four channels of a group.

    Neighbours share most of the way down from the base grid: only below their common ancestor is it walked again.

    Args:
        scratch: ``floats[0, level]`` gets the values, ``floats[1, level]`` the normals that split them,
            ``ints[:, level]`` columns and rows.
        last: the previous node, whose ancestors ``scratch`` has; its level is -1 if there is none.
        drawn: the number of levels whose normals ``scratch`` has.

    Returns:
        The number of levels whose normals ``scratch`` has now.
    """
    values, at = scratch.floats, scratch.ints
    start = min(last.level, node.level) if node.frame == last.frame else -1
    while start >= 0:
        above = ancestor_of(node, start)
        if at[0, start] == above.ix and at[1, start] == above.iy:
            break
        start -= 1
    if start < 0:
        base = ancestor_of(node, 0)
        at[0, 0], at[1, 0] = base.ix, base.iy
        z0, z1, z2, z3 = node_normals(tree, base, ROOT, group, map_)
        values[0, 0, 0], values[0, 0, 1], values[0, 0, 2], values[0, 0, 3] = z0, z1, z2, z3
        for q in range(4):
            values[0, 0, q] = quantized(
                values[0, 0, q] * f32(power_of_two(tree.halvings)), power_of_two(tree.halvings - QUANTUM)
            )
        start, drawn = 0, 0
    drawn = min(drawn, start + 1)
    for level in range(start, node.level):
        if level >= drawn:
            drawn = level + 1
            above = Node(node.frame, level, at[0, level], at[1, level])
            z0, z1, z2, z3 = node_normals(tree, above, level, group, map_)
            values[1, level, 0], values[1, level, 1], values[1, level, 2], values[1, level, 3] = z0, z1, z2, z3
        below = ancestor_of(node, level + 1)
        at[0, level + 1], at[1, level + 1] = below.ix, below.iy
        side = side_in_parent(below)
        for q in range(4):
            values[0, level + 1, q] = half_value(tree, level, values[0, level, q], values[1, level, q], side)
    return drawn


@scalar
def store(values: Array, row: int, group: int, scratch: Scratch, level: int) -> None:
    """Puts the four values of a level into a row's channels."""
    first = 4 * group
    for q in range(min(4, values.shape[1] - first)):
        values[row, first + q] = scratch.floats[0, level, q]


@kernel_with_scratch
def draw_white_noise(
    n: int,
    scratch: Scratch,
    particles: Particles,
    tree: Tree,
    new: Rows,
    count: int,
    first: int,
    map_: int,
    values: Array,
) -> None:
    """Draws W(A) of new particles: block and group of four channels n, from the base grid of the tree down.

    Args:
        count: of new particles.
        first: the row of ``values`` for new particle 0; -1: each has its row of the table.
        values: (rows, channels) float32.
    """
    groups = (values.shape[1] + 3) // 4
    block, group = n // groups, n % groups
    last, drawn = Node(-1, -1, 0, 0), 0
    for item in range(block * BLOCK, min((block + 1) * BLOCK, count)):
        at = row_of(new, item)
        if particles.state[at] != DEAD:
            node = node_at(particles, at)
            drawn = descend(tree, scratch, node, last, drawn, group, map_)
            store(values, at if first < 0 else first + item, group, scratch, node.level)
            last = node
