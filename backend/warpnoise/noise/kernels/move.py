"""Compiled: moving atoms, those that are seen and those that are hidden. The reference is `reference.move_atoms` and
`follow.follow_hidden`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from ..follow import GONE, HIDDEN, LARGE, SEEN
from ..jit import inner, kernel
from ..rigid import FARTHEST
from .sampling import HALF, ONE, Scale, inside, shows
from .tree import measure_of, node_of, split_area
from .way import follow

Array = NDArray[Any]
f32, f64, i64, u64 = np.float32, np.float64, np.int64, np.uint64
FAR = f32(FARTHEST)
LATER = 4  # a status: not on a calm pixel
TWO, FOUR = u64(2), u64(4)
U1, U3 = u64(1), u64(3)


@inner
def is_large(area: f32, grown: f32, cells: Array, cell: int, code: int, seed: u64, least: f32) -> bool:
    """Whether an atom is to be split that has that area now and grew by a factor in this step."""
    if not area > least:
        return False
    if area > least + least:
        return True
    if not grown > ONE:  # so it was split already, if it was to be
        return False
    frame, level, ix, iy = node_of(cells, cell, code)
    return area > split_area(seed, frame, level, ix, iy, least)


@kernel
def move_calm(
    there: Array,
    calm: Array,
    scale: Scale,
    x: Array,
    y: Array,
    stretch: Array,
    cell: Array,
    code: Array,
    cells: Array,
    measures: Array,
    leaves: int,
    cells_level: int,
    seed: u64,
    least_split: f32,
    status: Array,
    occupied: Array,
) -> None:
    """Moves atoms on calm pixels, where all four corners count and nothing is hidden: most atoms of most frames.

    Indices are unsigned, and arrays flat: else Numba would look at each for whether it counts from the end.
    """
    h, w = calm.shape
    pitch, last_row, last_column = u64(w), u64(h - 1), u64(w - 1)
    vectors, quiet = there.reshape(h * w * 2), calm.reshape(h * w)
    stretches = stretch.reshape(len(x) * 4)
    width, height, row_length = f32(scale.width), f32(scale.height), u64(scale.width)
    for n in prange(len(x)):
        px, py = x[n], y[n]
        row, column = min(u64(py * scale.sy), last_row), min(u64(px * scale.sx), last_column)
        if not quiet[row * pitch + column]:
            status[n] = LATER
            continue
        xs, ys = px * scale.sx - HALF, py * scale.sy - HALF
        i, j = u64(xs), u64(ys)
        tx, ty = xs - f32(i), ys - f32(j)
        a = (j * pitch + i) * TWO
        c = a + pitch * TWO
        # `way.follow_calm`, `sampling.blend`, written out
        upper_x, lower_x = vectors[a + TWO] - vectors[a], vectors[c + TWO] - vectors[c]
        upper_y, lower_y = vectors[a + U3] - vectors[a + U1], vectors[c + U3] - vectors[c + U1]
        top_x, bottom_x = vectors[a] + tx * upper_x, vectors[c] + tx * lower_x
        top_y, bottom_y = vectors[a + U1] + tx * upper_y, vectors[c + U1] + tx * lower_y
        x1 = px + (top_x + ty * (bottom_x - top_x)) * scale.ux
        y1 = py + (top_y + ty * (bottom_y - top_y)) * scale.uy
        if not (x1 >= 0 and x1 < width and y1 >= 0 and y1 < height):
            status[n] = GONE
            continue
        m00, m01 = (upper_x + ty * (lower_x - upper_x)) + ONE, (bottom_x - top_x) * scale.sy_ux
        m10, m11 = (upper_y + ty * (lower_y - upper_y)) * scale.sx_uy, (bottom_y - top_y) + ONE
        s = u64(n) * FOUR
        j00, j01, j10, j11 = stretches[s], stretches[s + U1], stretches[s + TWO], stretches[s + U3]
        n00, n01 = m00 * j00 + m01 * j10, m00 * j01 + m01 * j11
        n10, n11 = m10 * j00 + m11 * j10, m10 * j01 + m11 * j11
        stretches[s], stretches[s + U1], stretches[s + TWO], stretches[s + U3] = n00, n01, n10, n11
        x[n], y[n] = x1, y1
        occupied[u64(y1) * row_length + u64(x1)] = True
        measure = measure_of(cells, cell[n], code[n], measures, leaves, cells_level)
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
    calm: Array,
    scale: Scale,
    x: Array,
    y: Array,
    stretch: Array,
    cell: Array,
    code: Array,
    cells: Array,
    measures: Array,
    leaves: int,
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
            there, back, start, end, depth_start, depth_end, matrices, route, calm, scale, x[i], y[i]
        )
        if found == SEEN:
            x[i], y[i] = x1, y1
            j00, j01, j10, j11 = stretch[i, 0], stretch[i, 1], stretch[i, 2], stretch[i, 3]
            n00, n01 = m00 * j00 + m01 * j10, m00 * j01 + m01 * j11
            n10, n11 = m10 * j00 + m11 * j10, m10 * j01 + m11 * j11
            stretch[i, 0], stretch[i, 1], stretch[i, 2], stretch[i, 3] = n00, n01, n10, n11
            measure = measure_of(cells, cell[i], code[i], measures, leaves, cells_level)
            area = abs(n00 * n11 - n01 * n10) * measure
            grown = abs(m00 * m11 - m01 * m10)
            if is_large(area, grown, cells, cell[i], code[i], seed, least_split):
                found = LARGE
            column, row = min(i64(x1), scale.width - 1), min(i64(y1), scale.height - 1)
            occupied[row * scale.width + column] = True
        status[i] = found


@kernel
def follow_hidden(
    end: Array,
    depth_end: Array,
    surfaces: Array,
    matrices: Array,
    trusted: Array,
    scale: Scale,
    x: Array,
    y: Array,
    d: Array,
    stretch: Array,
    behind: Array,
    surface: Array,
    status: Array,
) -> None:
    """Moves hidden atoms in place."""
    known = len(surfaces)
    sx, sy, ux, uy = f64(scale.sx), f64(scale.sy), f64(scale.ux), f64(scale.uy)
    for n in prange(len(x)):
        status[n] = GONE
        place = np.searchsorted(surfaces, surface[n])
        if place == known or surfaces[place] != surface[n] or not trusted[place]:
            continue
        xm, ym, dm = f64(x[n]) * sx - 0.5, f64(y[n]) * sy - 0.5, f64(d[n])
        to_w = ((matrices[place, 3, 0] * xm + matrices[place, 3, 1] * ym) + matrices[place, 3, 2] * dm) + matrices[
            place, 3, 3
        ]
        inverse = 1.0 / to_w
        px = (
            ((matrices[place, 0, 0] * xm + matrices[place, 0, 1] * ym) + matrices[place, 0, 2] * dm)
            + matrices[place, 0, 3]
        ) * inverse
        py = (
            ((matrices[place, 1, 0] * xm + matrices[place, 1, 1] * ym) + matrices[place, 1, 2] * dm)
            + matrices[place, 1, 3]
        ) * inverse
        pd = (
            ((matrices[place, 2, 0] * xm + matrices[place, 2, 1] * ym) + matrices[place, 2, 2] * dm)
            + matrices[place, 2, 3]
        ) * inverse
        sane = True
        for part in range(2):
            t0, t1 = f64(stretch[n, part]) * sx, f64(stretch[n, 2 + part]) * sy
            t2 = f64(stretch[n, 4 + part])
            tx = (matrices[place, 0, 0] * t0 + matrices[place, 0, 1] * t1) + matrices[place, 0, 2] * t2
            ty = (matrices[place, 1, 0] * t0 + matrices[place, 1, 1] * t1) + matrices[place, 1, 2] * t2
            td = (matrices[place, 2, 0] * t0 + matrices[place, 2, 1] * t1) + matrices[place, 2, 2] * t2
            tw = (matrices[place, 3, 0] * t0 + matrices[place, 3, 1] * t1) + matrices[place, 3, 2] * t2
            stretch[n, part] = f32(((tx - px * tw) * inverse) * ux)
            stretch[n, 2 + part] = f32(((ty - py * tw) * inverse) * uy)
            stretch[n, 4 + part] = f32((td - pd * tw) * inverse)
            for row in range(3):
                sane = sane and math.isfinite(stretch[n, 2 * row + part])
        x[n], y[n], d[n] = f32((px + 0.5) * ux), f32((py + 0.5) * uy), f32(pd)
        behind[n] = behind[n] != (not to_w > 0)
        sane = sane and abs(x[n]) < FAR and abs(y[n]) < FAR and math.isfinite(d[n])
        if sane:
            status[n] = HIDDEN
            if not behind[n] and inside(scale, x[n], y[n]) and shows(end, depth_end, scale, surface[n], x[n], y[n], pd):
                status[n] = SEEN
