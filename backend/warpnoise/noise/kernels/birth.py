"""Compiled: which places show something new, and the atoms that are born there. The reference is `reference`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from ..follow import SEEN
from ..jit import inner, kernel
from .sampling import Scale, pixel_of
from .tree import leaf_point, mix_level, mix_place, scrambles
from .way import follow

Array = NDArray[Any]
f32, i64 = np.float32, np.int64


@kernel
def uncovered(
    there: Array,
    back: Array,
    start: Array,
    end: Array,
    depth_start: Array,
    depth_end: Array,
    matrices: Array,
    route: Array,
    scale: Scale,
    calm: Array,
    leaf_x: Array,
    leaf_y: Array,
    side: int,
    seed: np.uint64,
    frame: int,
    level: int,
    masks: Array,
) -> None:
    """A word for each noise pixel: which of its leaves show what the other frame did not."""
    h, w = start.shape
    size, shift = 1.0 / side, shift_of(side)
    same = h == scale.height and w == scale.width and calm.size > 0
    bits = mix_level(seed, frame, level)
    for row in prange(scale.height):
        for column in range(scale.width):
            # A leaf's point may be rounded into the pixel to the right or below.
            if (
                same
                and calm[row, column]
                and calm[row, min(column + 1, w - 1)]
                and calm[min(row + 1, h - 1), column]
                and calm[min(row + 1, h - 1), min(column + 1, w - 1)]
            ):
                masks[row * scale.width + column] = 0
                continue
            columns, rows = scrambles(seed, frame, level - 2 * shift, column, row)
            mask = i64(0)
            for leaf in range(side * side):
                ix, iy = column * side + leaf_x[leaf], row * side + leaf_y[leaf]
                u, v = leaf_point(mix_place(bits, ix, iy), columns, rows, shift, ix, iy, size)
                x, y = f32(u), f32(v)
                j, i = pixel_of(end, scale, x, y)
                if calm.size > 0 and calm[j, i]:
                    continue
                if (
                    follow(
                        there,
                        back,
                        start,
                        end,
                        depth_start,
                        depth_end,
                        matrices,
                        route,
                        scale,
                        x,
                        y,
                    )[0]
                    != SEEN
                ):
                    mask |= i64(1) << leaf
            masks[row * scale.width + column] = mask


@kernel
def leaf_points(
    pixels: Array,
    masks: Array,
    first: Array,
    leaf_x: Array,
    leaf_y: Array,
    width: int,
    side: int,
    seed: np.uint64,
    frame: int,
    level: int,
    x: Array,
    y: Array,
    place: Array,
    code: Array,
) -> None:
    """The atoms that pixels give birth to; those of pixel i of ``pixels`` come at ``first[i]``."""
    size, shift = 1.0 / side, shift_of(side)
    bits = mix_level(seed, frame, level)
    for i in prange(len(pixels)):
        at = first[i]
        px, py = pixels[i] % width, pixels[i] // width
        columns, rows = scrambles(seed, frame, level - 2 * shift, px, py)
        for leaf in range(side * side):
            if (masks[i] >> leaf) & 1:
                ix, iy = px * side + leaf_x[leaf], py * side + leaf_y[leaf]
                x[at], y[at] = leaf_point(mix_place(bits, ix, iy), columns, rows, shift, ix, iy, size)
                place[at] = i
                code[at] = side * side + leaf
                at += 1


@inner
def shift_of(side: int) -> int:
    """The logarithm of a power of two."""
    shift = 0
    while (side >> shift) > 1:
        shift += 1
    return shift
