"""Compiled: the nodes of the tree of white noise. The reference is `pyramid.Pyramid` and `philox`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import philox
from ..jit import inner
from ..pyramid import CHOICE, COLUMNS, ROWS

Array = NDArray[Any]
u64, f32, f64, i64 = np.uint64, np.float32, np.float64, np.int64

MASK = u64(philox.MASK)
M0, M1 = u64(philox.MULTIPLIERS[0]), u64(philox.MULTIPLIERS[1])
K0, K1 = u64(philox.KEY_STEPS[0]), u64(philox.KEY_STEPS[1])
ROUNDS = philox.ROUNDS
MIX0, MIX1 = u64(philox.MIX[0]), u64(philox.MIX[1])
A0, A1, A2, A3 = (u64(factor) for factor in philox.ADDRESS)
CHOICE_BITS, COLUMN_BITS, ROW_BITS = u64(CHOICE), u64(COLUMNS), u64(ROWS)
TO_UNIT, HALF_UNIT, TO_ANGLE = (
    f32(philox.TO_UNIT),
    f32(0.5 * philox.TO_UNIT),
    f32(philox.TO_ANGLE),
)
MINUS_TWO, ONE = f32(-2.0), f32(1.0)
S13, S16, S31, S32 = u64(13), u64(16), u64(31), u64(32)
LOW16, LOW24 = u64(0xFFFF), u64(0xFFFFFF)
TO_SHARE = f32(2.0**-24)
SHORT_DEPTH = 8
SHORT = 1 << SHORT_DEPTH
DEPTHS = np.array([max(code.bit_length() - 1, 0) for code in range(SHORT)], np.uint8)


@inner
def normals(c0: u64, c1: u64, c2: u64, c3: u64, k0: u64, k1: u64) -> tuple[f32, f32, f32, f32]:
    """Four standard normals for a counter (see `philox`)."""
    for _ in range(ROUNDS):
        p0 = c0 * M0
        p1 = c2 * M1
        c0, c1, c2, c3 = (
            (p1 >> S32) ^ c1 ^ k0,
            p1 & MASK,
            (p0 >> S32) ^ c3 ^ k1,
            p0 & MASK,
        )
        k0 = (k0 + K0) & MASK
        k1 = (k1 + K1) & MASK
    r0 = math.sqrt(MINUS_TWO * math.log(f32(c0) * TO_UNIT + HALF_UNIT))
    r1 = math.sqrt(MINUS_TWO * math.log(f32(c2) * TO_UNIT + HALF_UNIT))
    a0, a1 = f32(c1) * TO_ANGLE, f32(c3) * TO_ANGLE
    return r0 * math.cos(a0), r0 * math.sin(a0), r1 * math.cos(a1), r1 * math.sin(a1)


@inner
def mix(bits: u64) -> u64:
    bits = bits ^ (bits >> S16)
    bits = (bits * MIX0) & MASK
    bits = bits ^ (bits >> S13)
    bits = (bits * MIX1) & MASK
    return bits ^ (bits >> S16)


@inner
def mix_level(seed: u64, frame: int, level: int) -> u64:
    """The part of a node's bits that its frame and level decide."""
    return mix((u64(level) * A1 + mix((u64(frame) * A0 + seed) & MASK)) & MASK)


@inner
def mix_place(bits: u64, ix: int, iy: int) -> u64:
    """The rest: its column and row."""
    return mix((u64(iy) * A3 + mix((u64(ix) * A2 + bits) & MASK)) & MASK)


@inner
def jitter(bits: u64, ix: int, iy: int, width: f64, height: f64) -> tuple[f64, f64]:
    """The point of a node below the leaves, of a width and height, in noise pixels."""
    across = (f64(bits >> S16) + 0.5) * 2.0**-16
    down = (f64(bits & LOW16) + 0.5) * 2.0**-16
    return ix * width + across * width, iy * height + down * height


@inner
def scrambles(seed: u64, frame: int, level: int, ix: int, iy: int) -> tuple[u64, u64]:
    """What scrambles the leaves of a pixel (a node of the pixels' level): the bits of its columns, and of its rows."""
    bits = mix_place(mix_level(seed, frame, level), ix, iy)
    return mix(bits ^ COLUMN_BITS), mix(bits ^ ROW_BITS)


@inner
def reversed_bits(number: int, bits: int) -> int:
    result = 0
    for bit in range(bits):
        result |= ((number >> bit) & 1) << (bits - 1 - bit)
    return result


@inner
def leaf_point(bits: u64, columns: u64, rows: u64, shift: int, ix: int, iy: int, size: f64) -> tuple[f64, f64]:
    """The point of a leaf, of 2 ** shift on a pixel's side, with the bits of its node and its pixel's scrambles."""
    last = (1 << shift) - 1
    x, y = ix & last, iy & last
    column = reversed_bits(y, shift) ^ (i64(columns >> u64(shift * x)) & last)
    row = reversed_bits(x, shift) ^ (i64(rows >> u64(shift * y)) & last)
    across = (column + (f64(bits >> S16) + 0.5) * 2.0**-16) / (1 << shift)
    down = (row + (f64(bits & LOW16) + 0.5) * 2.0**-16) / (1 << shift)
    return ix * size + across * size, iy * size + down * size


@inner
def leaf_of(seed: u64, halvings: int, leaves: int, frame: int, ix: int, iy: int) -> tuple[f64, f64]:
    """The point of a leaf that stands alone; ``leaves`` is the leaves' level."""
    shift = (leaves >> 1) - halvings
    columns, rows = scrambles(seed, frame, 2 * halvings, ix >> shift, iy >> shift)
    bits = mix_place(mix_level(seed, frame, leaves), ix, iy)
    return leaf_point(bits, columns, rows, shift, ix, iy, 1.0 / (1 << shift))


@inner
def depth_of(code: int) -> int:
    """How far below its cell a heap code leads."""
    if code < SHORT:  # most of them; in a loop that ends elsewhere for every atom, processors guess wrong
        return i64(DEPTHS[u64(code)])
    depth = SHORT_DEPTH
    while code >> (depth + 1):
        depth += 1
    return depth


@inner
def measure_of(cells: Array, cell: int, code: int, measures: Array, cells_level: int) -> f32:
    """The measure of an atom.

    Args:
        cells_level: the level of all cells, or -1: they differ. Only then the table of cells is looked up: it is slow.
    """
    level = cells_level if cells_level >= 0 else i64(cells[cell, 1])
    return measures[u64(level + depth_of(code))]


@inner
def node_of(cells: Array, cell: int, code: int) -> tuple[int, int, int, int]:
    """Frame, level, column and row of the node that a heap code names below a cell."""
    level, ix, iy = i64(cells[cell, 1]), i64(cells[cell, 2]), i64(cells[cell, 3])
    for step in range(depth_of(code) - 1, -1, -1):
        level, ix, iy = child_of(level, ix, iy, (code >> step) & 1)
    return i64(cells[cell, 0]), level, ix, iy


@inner
def child_of(level: int, ix: int, iy: int, side: int) -> tuple[int, int, int]:
    if level & 1:
        return level + 1, ix, 2 * iy + side
    return level + 1, 2 * ix + side, iy


@inner
def ancestor_of(level: int, ix: int, iy: int, above: int) -> tuple[int, int]:
    """Column and row of the node of level ``above`` that a node lies in."""
    return ix >> (((level + 1) >> 1) - ((above + 1) >> 1)), iy >> ((level >> 1) - (above >> 1))


@inner
def size_of(halvings: int, level: int) -> tuple[f64, f64]:
    """Width and height of a level's nodes, noise pixels."""
    return 2.0 ** (halvings - ((level + 1) >> 1)), 2.0 ** (halvings - (level >> 1))


@inner
def choice(seed: u64, frame: int, level: int, ix: int, iy: int) -> u64:
    """The bits by which a node chooses."""
    return mix(mix_place(mix_level(seed, frame, level), ix, iy) ^ CHOICE_BITS)


@inner
def split_area(seed: u64, frame: int, level: int, ix: int, iy: int, least: f32) -> f32:
    """The area now above which a node is split."""
    return (f32(choice(seed, frame, level, ix, iy) & LOW24) * TO_SHARE + ONE) * least


@inner
def point_of(seed: u64, halvings: int, leaves: int, frame: int, level: int, ix: int, iy: int) -> tuple[f64, f64]:
    """The point that stands for a node; ``leaves`` is the leaves' level."""
    if level <= leaves:
        while level < leaves:
            level, ix, iy = child_of(level, ix, iy, i64(choice(seed, frame, level, ix, iy) >> S31))
        return leaf_of(seed, halvings, leaves, frame, ix, iy)
    ax, ay = ancestor_of(level, ix, iy, leaves)
    x, y = leaf_of(seed, halvings, leaves, frame, ax, ay)
    for step in range(leaves + 1, level + 1):
        ax, ay = ancestor_of(level, ix, iy, step)
        width, height = size_of(halvings, step)
        left, top = ax * width, ay * height
        if not (x >= left and x < left + width and y >= top and y < top + height):
            x, y = jitter(mix_place(mix_level(seed, frame, step), ax, ay), ax, ay, width, height)
    return x, y


@inner
def side_of(halvings: int, level: int, ix: int, iy: int, x: f64, y: f64) -> int:
    """Which half of a node holds a point."""
    width, height = size_of(halvings, level)
    if level & 1:
        return 1 if y >= iy * height + 0.5 * height else 0
    return 1 if x >= ix * width + 0.5 * width else 0
