"""The binary tree of white noise: nodes, their tree addresses, their measures and the points that represent them.

A *node* is an area of the frame in which its surface was spawned. Areas are split along x and y in turn: level l has
2**ceil(l / 2) times as many columns as the base grid, and 2**floor(l / 2) times as many rows. Halving the pixel grid as
often as possible gives the base grid, which sizes that differ by a power of two share. So, until something moves, noise
of 1024 x 1024, pooled to 128 x 128, equals the noise of 128 x 128.

A particle's *tree address* is the node whose white noise it carries.
"""

from __future__ import annotations

from .compile import scalar
from .random import mix, mix_level, mix_place
from .types import FRAME_SHIFT, LARGE, LEVEL, ONE, VISIBLE, ZERO, Node, Particles, Tree, f32, f64, i64, u64

CHOICE, COLUMNS, ROWS = u64(0x5BD1E995), u64(0x2545F491), u64(0x6C078965)  # separate a node's choices from its point
S16, S31, LOW16, LOW24 = u64(16), u64(31), u64(0xFFFF), u64(0xFFFFFF)
TO_SHARE = f32(2.0**-24)


@scalar
def measure_of(tree: Tree, p: Particles, n: int) -> float:
    """|A|: the area of a particle's node, noise pixels. float32, a power of two."""
    return tree.measures[u64(p.origin[n] & LEVEL)]  # type: ignore[no-any-return]


@scalar
def area_of(tree: Tree, p: Particles, n: int) -> float:
    """The area that particle n covers now, noise pixels. float32."""
    return abs(p.x_u[n] * p.y_v[n] - p.x_v[n] * p.y_u[n]) * measure_of(tree, p, n)  # type: ignore[no-any-return]


@scalar
def child_of(node: Node, side: int) -> Node:
    """A child of a node. 0: the left or upper one. 1: the right or lower one."""
    if node.level & 1:
        return Node(node.frame, node.level + 1, node.ix, 2 * node.iy + side)
    return Node(node.frame, node.level + 1, 2 * node.ix + side, node.iy)


@scalar
def ancestor_of(node: Node, level: int) -> Node:
    """The node of a coarser level that contains a node."""
    ix = node.ix >> (((node.level + 1) >> 1) - ((level + 1) >> 1))
    return Node(node.frame, level, ix, node.iy >> ((node.level >> 1) - (level >> 1)))


@scalar
def parent_of(node: Node) -> Node:
    return ancestor_of(node, node.level - 1)


@scalar
def node_at(p: Particles, n: int) -> Node:
    """The node whose white noise particle n carries."""
    origin = i64(p.origin[n])
    return Node(origin >> FRAME_SHIFT, origin & LEVEL, i64(p.ix[n]), i64(p.iy[n]))


@scalar
def put_node(p: Particles, n: int, node: Node) -> None:
    p.origin[n], p.ix[n], p.iy[n] = (node.frame << FRAME_SHIFT) | node.level, node.ix, node.iy


@scalar
def put_place(p: Particles, n: int, x: float, y: float, x_u: float, x_v: float, y_u: float, y_v: float) -> None:
    p.x[n], p.y[n], p.x_u[n], p.x_v[n], p.y_u[n], p.y_v[n] = x, y, x_u, x_v, y_u, y_v


@scalar
def side_in_parent(node: Node) -> int:
    """Which child of its parent a node is: 0 or 1."""
    return (node.ix if node.level & 1 else node.iy) & 1


@scalar
def power_of_two(exponent: int) -> float:
    """2**exponent, exact on every target, for exponents from -62 to 62. float64."""
    return f64(i64(1) << exponent) if exponent >= 0 else 1.0 / f64(i64(1) << -exponent)


@scalar
def size_of(tree: Tree, level: int) -> tuple[float, float]:
    """The width and height of a level's nodes, noise pixels."""
    return power_of_two(tree.halvings - ((level + 1) >> 1)), power_of_two(tree.halvings - (level >> 1))


@scalar
def bits_of(tree: Tree, node: Node) -> int:
    return mix_place(mix_level(tree.seed, node.frame, node.level), node.ix, node.iy)


@scalar
def split_area(tree: Tree, node: Node) -> float:
    """The covered area, noise pixels, above which a node is split. It is random, so that a zoom splits a few nodes in
    every frame instead of all in the same one."""
    return (f32(mix(bits_of(tree, node) ^ CHOICE) & LOW24) * TO_SHARE + ONE) * tree.least


@scalar
def visible_state(tree: Tree, p: Particles, n: int) -> int:
    """The state of particle n, which is visible: LARGE if it is due to be split, else VISIBLE."""
    area = area_of(tree, p, n)
    return LARGE if area > tree.least and area > split_area(tree, node_at(p, n)) else VISIBLE


@scalar
def fractions(bits: int) -> tuple[float, float]:
    """Two uniform numbers between 0 and 1, from 32 random bits. float64."""
    return (f64(bits >> S16) + 0.5) * 2.0**-16, (f64(bits & LOW16) + 0.5) * 2.0**-16


@scalar
def scrambles(tree: Tree, frame: int, column: int, row: int) -> tuple[int, int]:
    """The bits that scramble the columns and the rows of a pixel's leaves."""
    bits = bits_of(tree, Node(frame, 2 * tree.halvings, column, row))
    return mix(bits ^ COLUMNS), mix(bits ^ ROWS)


@scalar
def leaf_place(leaf: int, shift: int) -> tuple[int, int]:
    """The column and row of a leaf inside its pixel, by its index in the tree's order (Morton order)."""
    i, j = 0, 0
    for bit in range(shift):
        i |= ((leaf >> (2 * bit + 1)) & 1) << bit
        j |= ((leaf >> (2 * bit)) & 1) << bit
    return i, j


@scalar
def reversed_bits(number: int, bits: int) -> int:
    result = 0
    for bit in range(bits):
        result |= ((number >> bit) & 1) << (bits - 1 - bit)
    return result


@scalar
def scrambled_point(tree: Tree, level_bits: int, columns: int, rows: int, ix: int, iy: int) -> tuple[float, float]:
    """The point of a leaf in a pixel with known scrambles. ``level_bits`` is `mix_level` of the leaves.

    The points of a pixel's k x k = 2**m leaves are a (0, m, 2)-net in base 2 (Niederreiter 1987): every elementary
    interval of area 2**-m contains one point. When a pixel moves, it loses about as many points on one side as it gains
    on the other, so its measure varies less than with independent jitter. A point's stratum along x is the leaf's row,
    and along y its column, with the bits reversed as in Hammersley's points, and scrambled by an exclusive or with
    random bits of each column and row of each pixel.
    """
    shift, side = tree.shift, 1 << tree.shift
    x, y = ix & (side - 1), iy & (side - 1)
    column = reversed_bits(y, shift) ^ (i64(columns >> u64(shift * x)) & (side - 1))
    row = reversed_bits(x, shift) ^ (i64(rows >> u64(shift * y)) & (side - 1))
    across, down = fractions(mix_place(level_bits, ix, iy))
    return (ix + (column + across) / side) / side, (iy + (row + down) / side) / side


@scalar
def leaf_point(tree: Tree, frame: int, ix: int, iy: int) -> tuple[float, float]:
    """The point of a leaf, noise pixels from the frame's corner."""
    columns, rows = scrambles(tree, frame, ix >> tree.shift, iy >> tree.shift)
    return scrambled_point(tree, mix_level(tree.seed, frame, tree.leaf), columns, rows, ix, iy)


@scalar
def point_of(tree: Tree, node: Node) -> tuple[float, float]:
    """The point that represents a node, which is also the point of one of its children.

    Above the leaves, a random bit selects the child whose point a node has. Below the leaves, the child that contains
    the node's point has this point, and the other child a new one. So splitting and merging move as little of a
    particle's measure as possible.
    """
    if node.level <= tree.leaf:
        while node.level < tree.leaf:
            node = child_of(node, i64(mix(bits_of(tree, node) ^ CHOICE) >> S31))
        return leaf_point(tree, node.frame, node.ix, node.iy)
    leaf = ancestor_of(node, tree.leaf)
    x, y = leaf_point(tree, leaf.frame, leaf.ix, leaf.iy)
    for level in range(tree.leaf + 1, node.level + 1):
        ancestor = ancestor_of(node, level)
        width, height = size_of(tree, level)
        left, top = ancestor.ix * width, ancestor.iy * height
        if not (x >= left and x < left + width and y >= top and y < top + height):
            across, down = fractions(bits_of(tree, ancestor))
            x, y = left + across * width, top + down * height
    return x, y


@scalar
def half_with(tree: Tree, node: Node, x: float, y: float) -> int:
    """Which child of a node contains a point: 0 or 1."""
    width, height = size_of(tree, node.level)
    if node.level & 1:
        return 1 if y >= node.iy * height + 0.5 * height else 0
    return 1 if x >= node.ix * width + 0.5 * width else 0


@scalar
def inside(tree: Tree, x: float, y: float) -> bool:
    """Whether a point is inside the frame. A NaN is not."""
    return x >= ZERO and x < f32(tree.width) and y >= ZERO and y < f32(tree.height)


@scalar
def pixel_of(tree: Tree, x: float, y: float) -> int:
    """The noise pixel that contains a point of the frame, row-major. uint64."""
    # A point just inside the frame may be rounded to the right or lower border.
    return u64(min(i64(y), tree.height - 1) * tree.width + min(i64(x), tree.width - 1))
