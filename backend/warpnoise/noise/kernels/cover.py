"""Compiled: which places known atoms cover. The reference is `cover`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from ..cover import REACH, SLACK
from ..follow import LARGE, SEEN
from ..jit import inner, kernel
from .sampling import HALF, Scale, pixel_of, same_depth, sample_depth
from .tree import leaf_of, node_of, point_of, size_of

Array = NDArray[Any]
f32, f64, i64 = np.float32, np.float64, np.int64


@kernel
def place_leaves(
    pixels: Array, seed: np.uint64, halvings: int, leaves: int, frame: int, width: int, slots: Array, points: Array
) -> None:
    """The points, (n, k, k, 2) float32 by row and column, of the leaves of some pixels, and where a pixel's stand."""
    shift, side = (leaves >> 1) - halvings, points.shape[1]
    for slot in prange(len(pixels)):
        column, row = pixels[slot] % width, pixels[slot] // width
        slots[pixels[slot]] = slot
        for j in range(side):
            for i in range(side):
                x, y = leaf_of(seed, halvings, leaves, frame, (column << shift) + i, (row << shift) + j)
                points[slot, j, i, 0], points[slot, j, i, 1] = x, y


@kernel
def mark_covered(
    x: Array,
    y: Array,
    stretch: Array,
    cell: Array,
    code: Array,
    status: Array,
    depth: Array,
    behind: Array,
    surface: Array,
    cells: Array,
    seed: np.uint64,
    halvings: int,
    leaves: int,
    order: Array,
    slots: Array,
    points: Array,
    end: Array,
    depth_end: Array,
    scale: Scale,
    near: Array,
    masks: Array,
    covered: Array,
) -> None:
    """Marks leaves that are to be born and whose points lie in the area of an atom, on its surface, at its depth.

    Args:
        status: of atoms that are seen: only those that still are count. (0,): all of them.
        depth, behind, surface: of hidden atoms, whose stretch has six parts; (0,) of atoms that are seen.
        leaves: the leaves' level.
        order: (k, k), the place in a pixel's word of the leaf in a row and column.
        slots, points: see `place_leaves`.
        covered: (height * width * k * k,) bool. Threads may mark a leaf twice.
    """
    side = len(order)
    shift, last = (leaves >> 1) - halvings, side - 1
    for n in prange(len(x)):
        if len(status) > 0 and status[n] != SEEN and status[n] != LARGE:
            continue
        px, py = x[n], y[n]
        if not (px >= -1 and px < scale.width + 1 and py >= -1 and py < scale.height + 1):
            continue
        if not near[i64(math.floor(py)) + 1, i64(math.floor(px)) + 1]:
            continue
        if len(behind) > 0 and (behind[n] or math.isnan(depth[n])):
            continue
        middle_i, middle_j = i64(math.floor(px * side)), i64(math.floor(py * side))
        first_i, end_i = max(middle_i - REACH, 0), min(middle_i + REACH + 1, scale.width * side)
        first_j, end_j = max(middle_j - REACH, 0), min(middle_j + REACH + 1, scale.height * side)
        if not any_open(first_j, end_j, first_i, end_i, shift, scale.width, masks):
            continue
        j00, j01, j10, j11 = f64(stretch[n, 0]), f64(stretch[n, 1]), f64(stretch[n, 2]), f64(stretch[n, 3])
        determinant = j00 * j11 - j01 * j10
        if determinant == 0:
            continue
        born, level, ix, iy = node_of(cells, cell[n], code[n])
        u, v = point_of(seed, halvings, leaves, born, level, ix, iy)
        wide, high = size_of(halvings, level)
        if len(surface) > 0:
            own = surface[n]
        else:
            row, column = pixel_of(end, scale, px, py)
            own = end[row, column]
        for j in range(first_j, end_j):
            for i in range(first_i, end_i):
                pixel, leaf = (j >> shift) * scale.width + (i >> shift), order[j & last, i & last]
                if not (masks[pixel] >> leaf) & 1 or covered[pixel * side * side + leaf]:
                    continue
                lx, ly = points[slots[pixel], j & last, i & last, 0], points[slots[pixel], j & last, i & last, 1]
                off_x, off_y = f64(lx) - px, f64(ly) - py
                # Back to the frame of birth: is the point in the node's rectangle there?
                off_u = (j11 * off_x - j01 * off_y) / determinant
                off_v = (j00 * off_y - j10 * off_x) / determinant
                at_u, at_v = (u + off_u - ix * wide) / wide, (v + off_v - iy * high) / high
                if not (at_u >= -SLACK and at_u <= 1 + SLACK and at_v >= -SLACK and at_v <= 1 + SLACK):
                    continue
                row, column = pixel_of(end, scale, lx, ly)
                if end[row, column] != own:
                    continue
                if len(depth) > 0:
                    d = f64(depth[n]) + stretch[n, 4] * off_u + stretch[n, 5] * off_v
                    _, value, _, _, spread = sample_depth(
                        depth_end, end, own, lx * scale.sx - HALF, ly * scale.sy - HALF
                    )
                    if not same_depth(d, f64(value), f64(spread)):
                        continue
                covered[pixel * side * side + leaf] = True


@inner
def any_open(first_j: int, end_j: int, first_i: int, end_i: int, shift: int, width: int, masks: Array) -> bool:
    """Whether a pixel with leaves in these rows and columns of leaves has some that are to be born."""
    for row in range(first_j >> shift, ((end_j - 1) >> shift) + 1):
        for column in range(first_i >> shift, ((end_i - 1) >> shift) + 1):
            if masks[row * width + column] != 0:
                return True
    return False


@kernel
def without(masks: Array, covered: Array, leaves: int) -> None:
    """Takes covered leaves out of the words of pixels."""
    for pixel in prange(len(masks)):
        if masks[pixel] != 0:
            masks[pixel] &= ~word(covered, pixel, leaves)


@inner
def word(covered: Array, pixel: int, leaves: int) -> int:
    result = i64(0)
    for leaf in range(leaves):
        if covered[pixel * leaves + leaf]:
            result |= i64(1) << leaf
    return result
