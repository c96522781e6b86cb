"""White noise at every resolution: the value of a node is exactly the sum of its children's values.

W(A) ~ N(0, |A|) is refined by Levy's construction of Brownian motion. An area of measure a and value x has two halves,
its children in the tree, with the values

    x / 2 + z sqrt(a) / 2   and   x / 2 - z sqrt(a) / 2,   z ~ N(0, 1),

which are independent, have the variance a / 2 and sum to x: eq. 3 of Chang et al. (ICLR 2024) for two parts. All values
of a level are multiples of a power of two, its quantum. It is small relative to the values, and large enough that they
are exact in float32. So the sum of the children is exact, and sums in float64 are exact in any order.
"""

from __future__ import annotations

from .compile import kernel, scalar
from .random import normals
from .tree import ancestor_of, node_at, parent_of, power_of_two, side_in_parent
from .types import DEAD, HALF, Array, Node, Particles, Scratch, Tree, f32, f64, u64

ROOT = 63  # in place of a level, in the counters of the base grid's values
GROUP_SHIFT, MAP_SHIFT = 6, 18  # the counter's last word has the level, the group of four channels and the map
QUANTUM = 20  # a quantum is 2**-QUANTUM standard deviations of the level's values, rounded to a power of two
BLOCK = 64
"""The number of particles whose values a thread draws at a time. Neighbors share most ancestors."""
INTEGERS = 1.5 * 2.0**52  # a float64 of this magnitude has no fractional bits


@scalar
def quantum_of(tree: Tree, level: int) -> int:
    """log2 of a level's quantum."""
    return tree.halvings - QUANTUM - (level >> 1)


@scalar
def quantized(x: float, quantum: float, inverse: float) -> float:
    """The nearest multiple of the power of two ``quantum``; ties go to the even one. float32."""
    return f32(((f64(x) * inverse + INTEGERS) - INTEGERS) * quantum)


@scalar
def draw_normals(tree: Tree, to: Array, node: Node, level: int, first: int, count: int, map_: int) -> None:
    """Draws z of a node for ``count`` channels from ``first`` on, which is a multiple of four.

    ``level`` is ROOT for the base grid's values. The length of ``to`` is a multiple of 32, or four.
    """
    groups = (count + 3) // 4
    if groups > 1:  # a vector register holds eight groups, so eight take no longer than two
        groups = (groups + 7) // 8 * 8
    for group in range(groups):
        word = u64(level + (((first >> 2) + group) << GROUP_SHIFT) + (map_ << MAP_SHIFT))
        z = normals(u64(node.ix), u64(node.iy), u64(node.frame), word, tree.key0, tree.key1)
        to[4 * group], to[4 * group + 1], to[4 * group + 2], to[4 * group + 3] = z


@scalar
def split_value(tree: Tree, level: int, whole: Array, normal: Array, side: int, half: Array, count: int) -> None:
    """Eq. 3: the values of a child of a node of a level, in ``count`` channels, from the node's values and normals."""
    half_root = f32(power_of_two(tree.halvings - 1 - (level >> 1)) * (0.5**0.5 if level & 1 else 1.0))  # sqrt(a) / 2
    exponent = quantum_of(tree, level + 1)
    quantum, inverse = power_of_two(exponent), power_of_two(-exponent)
    for q in range(count):
        first = quantized(whole[q] * HALF + normal[q] * half_root, quantum, inverse)
        half[q] = whole[q] - first if side else first


@scalar
def descend(
    tree: Tree, scratch: Scratch, node: Node, last: Node, drawn: int, channel: int, count: int, map_: int
) -> int:
    """Computes the values of a node and all its ancestors, for ``count`` channels from ``channel`` on.

    Starts at the last ancestor that the node shares with the previous node, or else at the base grid.

    Args:
        scratch: receives the values in ``values[level]``, the normals that split them in ``normals[level]``, and column
            and row in ``places[level]``.
        last: the previous node, whose ancestors are in ``scratch``. Its level is -1 if there is none.
        drawn: the number of levels whose normals are in ``scratch``.

    Returns:
        The number of levels whose normals are in ``scratch`` now.
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


@kernel
def draw_white_noise(
    n: int, scratch: Scratch, particles: Particles, tree: Tree, rows: Array, first: int, map_: int, values: Array
) -> None:
    """Draws W(A) of the particles in ``rows``, for the block of particles and the batch of channels with index n.

    Args:
        first: the particle whose values are row 0 of ``values``, (m, channels) float32.
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


@kernel
def split_values(
    n: int, scratch: Scratch, particles: Particles, tree: Tree, rows: Array, to: Array, map_: int, values: Array
) -> None:
    """Splits the values of a node, in row ``rows[n]``, between its children, in rows ``rows[n]`` and ``to[n]``."""
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
