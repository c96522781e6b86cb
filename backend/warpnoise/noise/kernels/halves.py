"""Compiled: refining atoms and joining them again. The reference is `split`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from ..jit import inner, kernel
from ..pyramid import MAX_CODE
from ..split import JOIN_BELOW, NEAR, ROUNDS
from .sampling import Scale, inside, pixel_of
from .tree import child_of, depth_of, mix_level, mix_place, node_of, point_of, side_of, split_area

Array = NDArray[Any]
f32, i64 = np.float32, np.int64
BLOCK = 64
BELOW = f32(JOIN_BELOW)
DRAWERS = 128
DRAWER_SHIFT = np.uint64(64 - 7)
BUCKET_SHIFT = np.uint64(64 - 16)


@kernel
def split_atoms(
    x: Array,
    y: Array,
    stretch: Array,
    cell: Array,
    code: Array,
    cells: Array,
    measures: Array,
    seed: np.uint64,
    halvings: int,
    leaves: int,
    least: f32,
    end: Array,
    scale: Scale,
    counts: Array,
    first: Array,
    kept: Array,
    parts: Array,
    places: Array,
) -> None:
    """Halves atoms until none covers more than its split area.

    Called twice: with no ``first`` it counts the halves that part from their atom, shown and lost; then it writes them.

    Args:
        leaves: the leaves' level.
        counts: (n, 2) int64, of each atom: the halves to add, and those that are lost to sight.
        first: (n, 2) int64, where each atom's are to be written; (0, 2): not yet.
        kept: (n,) int32, the atoms' new codes.
        parts: (m, 2) int32: the atom that each half comes from, and its code. Those that are lost begin at the end of
            those to add.
        places: (m, 4) float32: x and y of each half, and of the half that it parted from.
    """
    count = len(x)
    write = len(first) > 0
    for block in prange((count + BLOCK - 1) // BLOCK):
        codes, rounds = np.empty(ROUNDS + 1, np.int64), np.empty(ROUNDS + 1, np.int64)
        points = np.empty((ROUNDS + 1, 2), np.float32)
        for i in range(block * BLOCK, min((block + 1) * BLOCK, count)):
            j00, j01, j10, j11 = stretch[i, 0], stretch[i, 1], stretch[i, 2], stretch[i, 3]
            grown = abs(j00 * j11 - j01 * j10)
            shown, lost = i64(0), i64(0)
            codes[0], rounds[0], points[0, 0], points[0, 1] = code[i], 0, x[i], y[i]
            waiting, own = 1, True
            while waiting > 0:
                waiting -= 1
                path, done, px, py = codes[waiting], rounds[waiting], points[waiting, 0], points[waiting, 1]
                frame, level, ix, iy = node_of(cells, cell[i], path)
                while done < ROUNDS and path < MAX_CODE:
                    if not grown * measures[level] > split_area(seed, frame, level, ix, iy, least):
                        break
                    u, v = point_of(seed, halvings, leaves, frame, level, ix, iy)
                    side = side_of(halvings, level, ix, iy, u, v)
                    other_level, other_x, other_y = child_of(level, ix, iy, 1 - side)
                    u1, v1 = point_of(seed, halvings, leaves, frame, other_level, other_x, other_y)
                    step_x, step_y = f32(u1 - u), f32(v1 - v)
                    qx, qy = px + (j00 * step_x + j01 * step_y), py + (j10 * step_x + j11 * step_y)
                    done += 1
                    if shows_same(end, scale, px, py, qx, qy):
                        codes[waiting], rounds[waiting] = 2 * path + 1 - side, done
                        points[waiting, 0], points[waiting, 1] = qx, qy
                        waiting += 1
                    else:
                        if write:
                            at = first[i, 1] + lost
                            parts[at, 0], parts[at, 1] = i, 2 * path + 1 - side
                            places[at, 0], places[at, 1], places[at, 2], places[at, 3] = qx, qy, px, py
                        lost += 1
                    path = 2 * path + side
                    level, ix, iy = child_of(level, ix, iy, side)
                if own:
                    kept[i] = path
                    own = False
                else:
                    if write:
                        at = first[i, 0] + shown
                        parts[at, 0], parts[at, 1] = i, path
                        places[at, 0], places[at, 1], places[at, 2], places[at, 3] = px, py, px, py
                    shown += 1
            counts[i, 0], counts[i, 1] = shown, lost


@inner
def shows_same(end: Array, scale: Scale, x: f32, y: f32, other_x: f32, other_y: f32) -> bool:
    """Whether another point lies in the frame, on the surface on which the first one does."""
    if not inside(scale, other_x, other_y):
        return False
    row, column = pixel_of(end, scale, x, y)
    other_row, other_column = pixel_of(end, scale, other_x, other_y)
    return end[row, column] == end[other_row, other_column]


@kernel
def sort_small(
    stretch: Array,
    cell: Array,
    code: Array,
    cells: Array,
    measures: Array,
    seed: np.uint64,
    least: f32,
    drawer: Array,
) -> None:
    """Puts atoms that are so small that their parent may take their place into one of DRAWERS drawers, (n,) uint8, by
    their parent; 0: the others."""
    for i in prange(len(cell)):
        drawer[i] = 0
        level = cells[cell[i], 1] + depth_of(code[i])
        if level == 0:
            continue
        area = abs(stretch[i, 0] * stretch[i, 3] - stretch[i, 1] * stretch[i, 2]) * measures[level - 1]
        if area < BELOW * (least + least):
            frame, level, ix, iy = node_of(cells, cell[i], code[i])
            ix, iy = parent_of(level, ix, iy)
            if area < BELOW * split_area(seed, frame, level - 1, ix, iy, least):
                drawer[i] = 1 + (name_of(frame, level, ix, iy) >> DRAWER_SHIFT)


@inner
def name_of(frame: int, level: int, ix: int, iy: int) -> np.uint64:
    """64 bits for the node that holds nodes of a level: the same for both, hardly ever the same for others."""
    high = mix_place(mix_level(np.uint64(0), frame, level), ix, iy)
    low = mix_place(mix_level(np.uint64(1), frame, level), ix, iy)
    return (high << np.uint64(32)) | low


@inner
def parent_of(level: int, ix: int, iy: int) -> tuple[int, int]:
    return (ix >> 1, iy) if level & 1 else (ix, iy >> 1)


@kernel
def name_parents(cell: Array, code: Array, cells: Array, rows: Array, names: Array) -> None:
    """(n,) uint64: the names of the parents of atoms in some rows."""
    for n in prange(len(rows)):
        frame, level, ix, iy = node_of(cells, cell[rows[n]], code[rows[n]])
        ix, iy = parent_of(level, ix, iy)
        names[n] = name_of(frame, level, ix, iy)


@kernel
def pair_up(
    x: Array,
    y: Array,
    cell: Array,
    code: Array,
    cells: Array,
    seed: np.uint64,
    halvings: int,
    leaves: int,
    end: Array,
    scale: Scale,
    rows: Array,
    names: Array,
    kept: Array,
    dropped: Array,
) -> None:
    """Of rows sorted by the first 16 bits of their parents' names: for the first of two halves that can be joined
    the row that the whole keeps and the one that it drops; -1 for all others."""
    for n in prange(len(rows)):
        kept[n] = -1
        dropped[n] = -1
        bucket, other = names[n] >> BUCKET_SHIFT, n + 1
        while other < len(rows) and names[other] != names[n] and names[other] >> BUCKET_SHIFT == bucket:
            other += 1
        if other == len(rows) or names[other] != names[n]:
            continue
        a, b = rows[n], rows[other]
        if not (abs(x[a] - x[b]) < NEAR and abs(y[a] - y[b]) < NEAR):
            continue
        row, column = pixel_of(end, scale, x[a], y[a])
        other_row, other_column = pixel_of(end, scale, x[b], y[b])
        if end[row, column] != end[other_row, other_column]:
            continue
        frame, level, ix, iy = node_of(cells, cell[a], code[a])
        side = (ix if level & 1 else iy) & 1
        other_frame, other_level, other_x, other_y = node_of(cells, cell[b], code[b])
        ix, iy = parent_of(level, ix, iy)
        other_x, other_y = parent_of(other_level, other_x, other_y)
        if other_frame != frame or other_level != level or other_x != ix or other_y != iy:
            continue
        u, v = point_of(seed, halvings, leaves, frame, level - 1, ix, iy)
        kept[n], dropped[n] = (a, b) if side == side_of(halvings, level - 1, ix, iy, u, v) else (b, a)
