"""Compiled: moving the atoms that are seen. The reference is `reference.move_atoms`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from ..follow import GONE, HIDDEN, LARGE, SEEN
from ..jit import inner, kernel
from .sampling import ONE, Scale
from .tree import measure_of, node_of, split_area
from .way import follow, follow_calm, follow_calm_matrix

Array = NDArray[Any]
f32, i64, u64 = np.float32, np.int64, np.uint64
LATER = 4  # a status: not on a calm pixel
U1, U2, U3, U4 = u64(1), u64(2), u64(3), u64(4)


@inner
def is_large(area: f32, grown: f32, cells: Array, cell: int, code: int, seed: u64, least: f32) -> bool:
    """Whether an atom is to be split that has that area now and grew by a factor in this step."""
    # If it did not grow, it was split already, if it was to be. One condition, which seldom holds, is well predicted.
    always = area > least + least
    if not (always | ((area > least) & (grown > ONE))):
        return False
    if always:
        return True
    frame, level, ix, iy = node_of(cells, cell, code)
    return area > split_area(seed, frame, level, ix, iy, least)


@kernel
def move_calm(
    there: Array,
    depth: Array,
    matrices: Array,
    route: Array,
    calm: Array,
    scale: Scale,
    x: Array,
    y: Array,
    stretch: Array,
    cell: Array,
    code: Array,
    cells: Array,
    measures: Array,
    cells_level: int,
    seed: u64,
    least_split: f32,
    status: Array,
    occupied: Array,
) -> None:
    """Moves atoms on calm pixels, where all four corners count and nothing is hidden: most atoms of most frames."""
    h, w = calm.shape
    pitch, last_row, last_column = u64(w), u64(h - 1), u64(w - 1)
    vectors, depths, quiet, routes = there.reshape(h * w * 2), depth.reshape(-1), calm.reshape(-1), route.reshape(-1)
    stretches = stretch.reshape(len(x) * 4)
    row_length = u64(scale.width)
    for n in prange(len(x)):
        px, py = x[n], y[n]
        pixel = min(u64(py * scale.sy), last_row) * pitch + min(u64(px * scale.sx), last_column)
        if not quiet[pixel]:
            status[n] = LATER
            continue
        if routes.size > 0 and routes[pixel] >= 0:
            stays, x1, y1, m00, m01, m10, m11 = follow_calm_matrix(
                depths, pitch, matrices, routes[pixel], scale, px, py
            )
            lost = HIDDEN
        else:
            stays, x1, y1, m00, m01, m10, m11 = follow_calm(vectors, pitch, scale, px, py)
            lost = GONE
        if not stays:
            status[n] = lost
            continue
        s = u64(n) * U4
        j00, j01, j10, j11 = stretches[s], stretches[s + U1], stretches[s + U2], stretches[s + U3]
        n00, n01 = m00 * j00 + m01 * j10, m00 * j01 + m01 * j11
        n10, n11 = m10 * j00 + m11 * j10, m10 * j01 + m11 * j11
        stretches[s], stretches[s + U1], stretches[s + U2], stretches[s + U3] = n00, n01, n10, n11
        x[n], y[n] = x1, y1
        under = u64(y1) * row_length + u64(x1)
        if not occupied[under]:  # two threads that wrote the same over and over would wait for each other
            occupied[under] = True
        measure = measure_of(cells, cell[n], code[n], measures, cells_level)
        area = abs(n00 * n11 - n01 * n10) * measure
        grown = abs(m00 * m11 - m01 * m10)
        status[n] = LARGE if is_large(area, grown, cells, cell[n], code[n], seed, least_split) else SEEN


@kernel
def move_others(
    there: Array,
    back: Array,
    start: Array,
    end: Array,
    depth_start: Array,
    depth_end: Array,
    matrices: Array,
    route: Array,
    scale: Scale,
    x: Array,
    y: Array,
    stretch: Array,
    cell: Array,
    code: Array,
    cells: Array,
    measures: Array,
    cells_level: int,
    seed: u64,
    least_split: f32,
    rows: Array,
    status: Array,
    occupied: Array,
) -> None:
    """Moves atoms in some rows in place, but for those that are not seen; marks the pixels in which the others lie."""
    for place in prange(len(rows)):
        i = rows[place]
        found, x1, y1, m00, m01, m10, m11 = follow(
            there, back, start, end, depth_start, depth_end, matrices, route, scale, x[i], y[i]
        )
        if found == SEEN:
            x[i], y[i] = x1, y1
            j00, j01, j10, j11 = stretch[i, 0], stretch[i, 1], stretch[i, 2], stretch[i, 3]
            n00, n01 = m00 * j00 + m01 * j10, m00 * j01 + m01 * j11
            n10, n11 = m10 * j00 + m11 * j10, m10 * j01 + m11 * j11
            stretch[i, 0], stretch[i, 1], stretch[i, 2], stretch[i, 3] = n00, n01, n10, n11
            measure = measure_of(cells, cell[i], code[i], measures, cells_level)
            area = abs(n00 * n11 - n01 * n10) * measure
            grown = abs(m00 * m11 - m01 * m10)
            if is_large(area, grown, cells, cell[i], code[i], seed, least_split):
                found = LARGE
            column, row = min(i64(x1), scale.width - 1), min(i64(y1), scale.height - 1)
            if not occupied[row * scale.width + column]:
                occupied[row * scale.width + column] = True
        status[i] = found
