"""Compiled: the white noise of atoms, and where new atoms lie. The reference is `pyramid.Pyramid`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from . import philox
from .jit import inner, kernel
from .pyramid import CHOICE, GROUP_SHIFT, MAP_SHIFT, ROOT

Array = NDArray[Any]
u64, f32 = np.uint64, np.float32

MASK = u64(philox.MASK)
M0, M1 = u64(philox.MULTIPLIERS[0]), u64(philox.MULTIPLIERS[1])
K0, K1 = u64(philox.KEY_STEPS[0]), u64(philox.KEY_STEPS[1])
ROUNDS = philox.ROUNDS
MIX0, MIX1 = u64(philox.MIX[0]), u64(philox.MIX[1])
A0, A1, A2, A3 = (u64(factor) for factor in philox.ADDRESS)
CHOICE_BITS = u64(CHOICE)
TO_UNIT, HALF_UNIT, TO_ANGLE = (
    f32(philox.TO_UNIT),
    f32(0.5 * philox.TO_UNIT),
    f32(philox.TO_ANGLE),
)
HALF, MINUS_TWO, ONE = f32(0.5), f32(-2.0), f32(1.0)
S13, S16, S32 = u64(13), u64(16), u64(32)
LOW16 = u64(0xFFFF)
BLOCK = 256  # atoms a thread takes at a time


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
def jitter(bits: u64, ix: int, iy: int, size: float) -> tuple[f32, f32]:
    """The point of a leaf of a width and height (float64), in noise pixels."""
    across = (np.float64(bits >> S16) + 0.5) * 2.0**-16
    down = (np.float64(bits & LOW16) + 0.5) * 2.0**-16
    return f32(ix * size + across * size), f32(iy * size + down * size)


@inner
def depth_of(code: int) -> int:
    """How far below its cell a heap code leads."""
    depth = 0
    while code >> (depth + 1):
        depth += 1
    return depth


@kernel
def node_values(
    cells: Array,
    cell: Array,
    code: Array,
    rows: Array,
    halvings: int,
    k0: u64,
    k1: u64,
    map_: int,
    out: Array,
) -> None:
    """W of the nodes of some rows: (n, channels) float32.

    Neighbouring rows mostly share their way down from the base grid: only where it parts from the last row's is it
    walked again.
    """
    count, channels = out.shape
    for block in prange((count + BLOCK - 1) // BLOCK):
        way_x, way_y = np.empty(64, np.int64), np.empty(64, np.int64)
        way, z = np.empty((64, 4), np.float32), np.empty((64, 4), np.float32)
        for group in range((channels + 3) // 4):
            word = (group << GROUP_SHIFT) + (map_ << MAP_SHIFT)
            last_frame, reached, drawn = -1, -1, 0
            for i in range(block * BLOCK, min((block + 1) * BLOCK, count)):
                row = rows[i]
                frame, level = int(cells[cell[row], 0]), int(cells[cell[row], 1])
                ix, iy = int(cells[cell[row], 2]), int(cells[cell[row], 3])
                path = int(code[row])
                depth = depth_of(path)
                for step in range(depth - 1, -1, -1):
                    side = (path >> step) & 1
                    if level & 1:
                        iy = 2 * iy + side
                    else:
                        ix = 2 * ix + side
                    level += 1
                # The deepest node that this way and the last one share.
                start = min(reached, level) if frame == last_frame else -1
                while start >= 0:
                    ax = ix >> (((level + 1) >> 1) - ((start + 1) >> 1))
                    ay = iy >> ((level >> 1) - (start >> 1))
                    if way_x[start] == ax and way_y[start] == ay:
                        break
                    start -= 1
                if start < 0:
                    ax, ay = ix >> ((level + 1) >> 1), iy >> (level >> 1)
                    way_x[0], way_y[0] = ax, ay
                    root = normals(u64(ax), u64(ay), u64(frame), u64(ROOT + word), k0, k1)
                    whole = f32(2.0**halvings)
                    for q in range(4):
                        way[0, q] = root[q] * whole
                    start, drawn = 0, 0
                drawn = min(drawn, start + 1)  # its normals are known too, if the last way went on from it
                for above in range(start, level):
                    if above >= drawn:
                        drawn = above + 1
                        z[above, 0], z[above, 1], z[above, 2], z[above, 3] = normals(
                            u64(way_x[above]), u64(way_y[above]), u64(frame), u64(above + word), k0, k1
                        )
                    below = above + 1
                    way_x[below] = ix >> (((level + 1) >> 1) - ((below + 1) >> 1))
                    way_y[below] = iy >> ((level >> 1) - (below >> 1))
                    side = (way_y[below] if above & 1 else way_x[below]) & 1
                    size = f32(2.0 ** (halvings - 1.0 - 0.5 * above))
                    if side:
                        size = -size
                    for q in range(4):
                        way[below, q] = way[above, q] * HALF + z[above, q] * size
                last_frame, reached = frame, level
                for q in range(min(4, channels - 4 * group)):
                    out[i, 4 * group + q] = way[level, q]


@kernel
def leaf_points(
    pixels: Array,
    masks: Array,
    first: Array,
    leaf_x: Array,
    leaf_y: Array,
    width: int,
    side: int,
    seed: u64,
    frame: int,
    level: int,
    x: Array,
    y: Array,
    place: Array,
    code: Array,
) -> None:
    """The atoms that pixels give birth to; those of pixel i of ``pixels`` come at ``first[i]``."""
    size = 1.0 / side
    bits = mix_level(seed, frame, level)
    for i in prange(len(pixels)):
        at = first[i]
        left, top = (pixels[i] % width) * side, (pixels[i] // width) * side
        for leaf in range(side * side):
            if (masks[i] >> leaf) & 1:
                ix, iy = left + leaf_x[leaf], top + leaf_y[leaf]
                x[at], y[at] = jitter(mix_place(bits, ix, iy), ix, iy, size)
                place[at] = i
                code[at] = side * side + leaf
                at += 1


@kernel
def add_up(
    x: Array,
    y: Array,
    cell: Array,
    code: Array,
    cells: Array,
    measures: Array,
    leaves: int,
    plain: bool,
    values: Array,
    width: int,
    first: int,
    sums: Array,
    total: Array,
    threads: int,
) -> None:
    """Adds the values (n, c) and measures of atoms ``first`` to ``first + n`` to the sums (pixels, c) and totals of
    the pixels that they lie in, in their order. Each thread does its own rows of pixels, so nothing hangs on their
    number."""
    count, channels = values.shape
    height = len(total) // width
    leaf = measures[0]
    for level in range(len(measures)):
        if measures[level] * leaves == 1:
            leaf = measures[level]
    for thread in prange(threads):
        top, bottom = height * thread // threads, height * (thread + 1) // threads
        for n in range(count):
            i = first + n
            row = min(max(int(y[i]), 0), height - 1)
            if top <= row < bottom:
                p = row * width + min(max(int(x[i]), 0), width - 1)
                measure = leaf
                if not (plain and leaves <= code[i] < 2 * leaves):
                    measure = measures[cells[cell[i], 1] + depth_of(code[i])]
                total[p] += measure
                for q in range(channels):
                    sums[p, q] += values[n, q]


@kernel
def divide(sums: Array, total: Array, out: Array) -> None:
    """out[c, p] = sums[p, c] / sqrt(total[p])."""
    channels, pixels = out.shape
    blocks = (pixels + 255) // 256
    for block in prange(blocks):
        for p in range(block * 256, min((block + 1) * 256, pixels)):
            root = math.sqrt(total[p])
            for q in range(channels):
                out[q, p] = sums[p, q] / root
