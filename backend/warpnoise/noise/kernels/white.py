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
from .tree import ancestor_of, node_at, parent_of, power_of_two, side_in_parent
from .types import DEAD, HALF, Array, Node, Particles, Scratch, Tree, f32, f64, u64

ROOT = 63  # in place of a level: the counters of the base grid's values
GROUP_SHIFT, MAP_SHIFT = 6, 18  # in the counter's last word: the level, the group of four channels, the map
QUANTUM = 20  # a level's values are multiples of their standard deviation (or the next power of 2) times 2**-QUANTUM
SQRT_HALF = 0.5**0.5
BLOCK = 64
"""Particles whose values a thread draws in one go: neighbors share most of their ancestors."""
INTEGERS = 1.5 * 2.0**52  # a float64 of this size has no bits for fractions


@scalar
def half_root(tree: Tree, level: int) -> float:
    """sqrt(a) / 2, a being the measure of a level's nodes. float32."""
    return f32(power_of_two(tree.halvings - 1 - (level >> 1)) * (SQRT_HALF if level & 1 else 1.0))


@scalar
def quantum_of(tree: Tree, level: int) -> int:
    """log2 of a level's quantum."""
    return tree.halvings - QUANTUM - (level >> 1)


@scalar
def quantized(x: float, quantum: float, inverse: float) -> float:
    """The nearest multiple of a power of two, the even one of two. float32."""
    return f32(((f64(x) * inverse + INTEGERS) - INTEGERS) * quantum)


@scalar
def draw_normals(tree: Tree, to: Array, node: Node, level: int, first: int, count: int, map_: int) -> None:
    """z of a node for ``count`` channels from ``first`` on, a multiple of four. ``level`` is ROOT for the base grid's
    values. ``to`` has room for a multiple of 32, or for four."""
    groups = (count + 3) // 4
    if groups > 1:  # vector registers hold eight groups: more take no longer than two
        groups = (groups + 7) // 8 * 8
    for group in range(groups):
        word = u64(level + (((first >> 2) + group) << GROUP_SHIFT) + (map_ << MAP_SHIFT))
        z = normals(u64(node.ix), u64(node.iy), u64(node.frame), word, tree.key0, tree.key1)
        to[4 * group], to[4 * group + 1], to[4 * group + 2], to[4 * group + 3] = z


@scalar
def split_value(tree: Tree, level: int, whole: Array, normal: Array, side: int, half: Array, count: int) -> None:
    """Eq. 3: the values of a half of a node of a level, in ``count`` channels, from the node's values and normals."""
    root, exponent = half_root(tree, level), quantum_of(tree, level + 1)
    quantum, inverse = power_of_two(exponent), power_of_two(-exponent)
    for q in range(count):
        first = quantized(whole[q] * HALF + normal[q] * root, quantum, inverse)
        half[q] = whole[q] - first if side else first


@scalar
def descend(
    tree: Tree, scratch: Scratch, node: Node, last: Node, drawn: int, channel: int, count: int, map_: int
) -> int:
    """Values of a node and all its ancestors, for ``count`` channels from ``channel`` on.

    Neighbors share most of the way down from the base grid: only below their common ancestor is it walked again.

    Args:
        scratch: ``values[level]`` gets the values, ``normals[level]`` the normals that split them, ``places[level]``
            column and row.
        last: the previous node, whose ancestors ``scratch`` has; its level is -1 if there is none.
        drawn: the number of levels whose normals ``scratch`` has.

    Returns:
        The number of levels whose normals ``scratch`` has now.
    """
    values, drawn_normals, at = scratch.values, scratch.normals, scratch.places
    start = min(last.level, node.level) if node.frame == last.frame else -1
    while start >= 0:
        above = ancestor_of(node, start)
        if at[start, 0] == above.ix and at[start, 1] == above.iy:
            break
        start -= 1
    if start < 0:
        base = ancestor_of(node, 0)
        at[0, 0], at[0, 1] = base.ix, base.iy
        draw_normals(tree, values[0], base, ROOT, channel, count, map_)
        root, exponent = f32(power_of_two(tree.halvings)), quantum_of(tree, 0)
        for q in range(count):
            values[0, q] = quantized(values[0, q] * root, power_of_two(exponent), power_of_two(-exponent))
        start, drawn = 0, 0
    drawn = min(drawn, start + 1)
    for level in range(start, node.level):
        if level >= drawn:
            drawn = level + 1
            above = Node(node.frame, level, at[level, 0], at[level, 1])
            draw_normals(tree, drawn_normals[level], above, level, channel, count, map_)
        below = ancestor_of(node, level + 1)
        at[level + 1, 0], at[level + 1, 1] = below.ix, below.iy
        side = side_in_parent(below)
        split_value(tree, level, values[level], drawn_normals[level], side, values[level + 1], count)
    return drawn


@kernel_with_scratch
def draw_white_noise(
    n: int, scratch: Scratch, particles: Particles, tree: Tree, rows: Array, first: int, map_: int, values: Array
) -> None:
    """Draws W(A) of the particles in ``rows``: block and batch of channels n, from the base grid of the tree down.

    Args:
        first: the particle of row 0 of ``values``, (m, channels) float32.
    """
    width = scratch.values.shape[1]
    batches = (values.shape[1] + width - 1) // width
    block, channel = n // batches, n % batches * width
    channels = min(width, values.shape[1] - channel)
    last, drawn = Node(-1, -1, 0, 0), 0
    for item in range(block * BLOCK, min((block + 1) * BLOCK, rows.shape[0])):
        at = rows[item]
        if particles.state[at] != DEAD:
            node = node_at(particles, at)
            drawn = descend(tree, scratch, node, last, drawn, channel, channels, map_)
            for q in range(channels):
                values[at - first, channel + q] = scratch.values[node.level, q]
            last = node


@kernel_with_scratch
def split_values(
    n: int, scratch: Scratch, particles: Particles, tree: Tree, rows: Array, to: Array, map_: int, values: Array
) -> None:
    """Values of two halves, in rows ``rows[n]`` and ``to[n]``, from their whole's, which the former has."""
    at, other = rows[n], to[n]
    if particles.origin[other] < 0:
        return
    half = node_at(particles, at)
    whole, side, width = parent_of(half), side_in_parent(half), scratch.values.shape[1]
    for channel in range(0, values.shape[1], width):
        count = min(width, values.shape[1] - channel)
        draw_normals(tree, scratch.normals[0], whole, whole.level, channel, count, map_)
        kept, new = values[at, channel : channel + count], values[other, channel : channel + count]
        split_value(tree, whole.level, kept, scratch.normals[0], 1 - side, new, count)
        for q in range(count):
            kept[q] -= new[q]  # exact
