"""Compiled: following points from one frame to the other. The reference is `follow`, `sampling` and `rigid`.

The same roundings in the same order: both engines agree on every atom.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from ..follow import CALM_TOLERANCE, GONE, HIDDEN, LARGE, RETURN_TOLERANCE, SEEN
from ..jit import inner, kernel, pasted
from ..rigid import DEPTH_LEAST, DEPTH_MOST, DEPTH_RELATIVE, DEPTH_SPREAD, FARTHEST
from .tree import depth_of, jitter, mix_level, mix_place

Array = NDArray[Any]
f32, f64, i64 = np.float32, np.float64, np.int64
HALF, ONE, ZERO = f32(0.5), f32(1.0), f32(0.0)
RETURN_SQUARED = f32(RETURN_TOLERANCE * RETURN_TOLERANCE)
CALM_SQUARED = f32(CALM_TOLERANCE * CALM_TOLERANCE)
FAR = f32(FARTHEST)


class Scale(NamedTuple):
    """The scales of `passage.Passage` in float32, and the noise's size."""

    sx: Any
    sy: Any
    ux: Any
    uy: Any
    sy_ux: Any
    sx_uy: Any
    width: Any
    height: Any


# Arrays are passed one by one: in a tuple, Numba would count references to all of them at every call.


@inner
def corners(x: f32, y: f32, h: int, w: int) -> tuple[int, int, int, int, f32, f32]:
    """Left and right column, upper and lower row around a point, and where it lies between them."""
    i = min(max(i64(math.floor(x)), 0), max(w - 2, 0))
    j = min(max(i64(math.floor(y)), 0), max(h - 2, 0))
    return i, min(i + 1, w - 1), j, min(j + 1, h - 1), x - f32(i), y - f32(j)


@inner
def blend(a: f32, b: f32, c: f32, d: f32, tx: f32, ty: f32) -> tuple[f32, f32, f32]:
    """Value and derivatives between four corners."""
    upper, lower = a + tx * (b - a), c + tx * (d - c)
    return (
        upper + ty * (lower - upper),
        (b - a) + ty * ((d - c) - (b - a)),
        lower - upper,
    )


@inner
def counts(field: Array, surfaces: Array, surface: int, j: int, i: int) -> bool:
    """Whether a pixel is one of a surface, and known."""
    h, w, parts = field.shape
    if not (0 <= j < h and 0 <= i < w) or surfaces[j, i] != surface:
        return False
    finite = True
    for q in range(parts):
        finite = finite and math.isfinite(field[j, i, q])
    return finite


@inner
def continued(
    field: Array, surfaces: Array, surface: int, q: int, j: int, i: int, other: int, side: int
) -> tuple[f32, bool]:
    """One corner from its neighbours in column ``side`` and row ``other`` (see `sampling._continue`)."""
    if counts(field, surfaces, surface, j, i):
        return field[j, i, q], True
    k_side = counts(field, surfaces, surface, j, side)
    k_other = counts(field, surfaces, surface, other, i)
    if k_side and k_other and counts(field, surfaces, surface, other, side):
        return (field[j, side, q] + field[other, i, q]) - field[other, side, q], True
    behind_side, behind_other = side + side - i, other + other - j
    if k_side and counts(field, surfaces, surface, j, behind_side):
        return (field[j, side, q] + field[j, side, q]) - field[j, behind_side, q], True
    if k_other and counts(field, surfaces, surface, behind_other, i):
        return (field[other, i, q] + field[other, i, q]) - field[behind_other, i, q], True
    if k_side and k_other:
        return HALF * (field[j, side, q] + field[other, i, q]), True
    if k_side:
        return field[j, side, q], True
    if k_other:
        return field[other, i, q], True
    return ZERO, False


@inner
def complete(
    field: Array, surfaces: Array, surface: int, q: int, j0: int, j1: int, i0: int, i1: int
) -> tuple[f32, f32, f32, f32]:
    """Four corners, those that do not count continued from the others."""
    a, has_a = continued(field, surfaces, surface, q, j0, i0, j1, i1)
    b, has_b = continued(field, surfaces, surface, q, j0, i1, j1, i0)
    c, has_c = continued(field, surfaces, surface, q, j1, i0, j0, i1)
    d, has_d = continued(field, surfaces, surface, q, j1, i1, j0, i0)
    return (
        a if has_a else (b + c) - d,
        b if has_b else (a + d) - c,
        c if has_c else (d + a) - b,
        d if has_d else (c + b) - a,
    )


@inner
def sample_vector(
    field: Array, surfaces: Array, surface: int, x: f32, y: f32
) -> tuple[bool, f32, f32, f32, f32, f32, f32]:
    """Whether known; the vector; its derivatives: x by x, x by y, y by x, y by y."""
    h, w = surfaces.shape
    i0, i1, j0, j1, tx, ty = corners(x, y, h, w)
    ka, kb = counts(field, surfaces, surface, j0, i0), counts(field, surfaces, surface, j0, i1)
    kc, kd = counts(field, surfaces, surface, j1, i0), counts(field, surfaces, surface, j1, i1)
    if ka and kb and kc and kd:
        ax, bx, cx, dx = field[j0, i0, 0], field[j0, i1, 0], field[j1, i0, 0], field[j1, i1, 0]
        ay, by, cy, dy = field[j0, i0, 1], field[j0, i1, 1], field[j1, i0, 1], field[j1, i1, 1]
    elif ka or kb or kc or kd:
        ax, bx, cx, dx = complete(field, surfaces, surface, 0, j0, j1, i0, i1)
        ay, by, cy, dy = complete(field, surfaces, surface, 1, j0, j1, i0, i1)
    else:
        return False, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO
    vx, x_x, x_y = blend(ax, bx, cx, dx, tx, ty)
    vy, y_x, y_y = blend(ay, by, cy, dy, tx, ty)
    return True, vx, vy, x_x, x_y, y_x, y_y


@inner
def sample_depth(field: Array, surfaces: Array, surface: int, x: f32, y: f32) -> tuple[bool, f32, f32, f32, f32]:
    """Whether known; the depth; its derivatives; how far apart the corners are."""
    h, w = surfaces.shape
    i0, i1, j0, j1, tx, ty = corners(x, y, h, w)
    ka, kb = counts(field, surfaces, surface, j0, i0), counts(field, surfaces, surface, j0, i1)
    kc, kd = counts(field, surfaces, surface, j1, i0), counts(field, surfaces, surface, j1, i1)
    if ka and kb and kc and kd:
        a, b, c, d = field[j0, i0, 0], field[j0, i1, 0], field[j1, i0, 0], field[j1, i1, 0]
    elif ka or kb or kc or kd:
        a, b, c, d = complete(field, surfaces, surface, 0, j0, j1, i0, i1)
    else:
        return False, ZERO, ZERO, ZERO, ZERO
    value, along_x, along_y = blend(a, b, c, d, tx, ty)
    return True, value, along_x, along_y, max(max(a, b), max(c, d)) - min(min(a, b), min(c, d))


@inner
def same_depth(d: float, seen: float, spread: float) -> bool:
    size = abs(d)
    allowed = size * DEPTH_RELATIVE + min(spread * DEPTH_SPREAD, size * DEPTH_MOST) + DEPTH_LEAST
    return abs(d - seen) <= allowed


@inner
def pixel_of(surfaces: Array, scale: Scale, x: f32, y: f32) -> tuple[int, int]:
    h, w = surfaces.shape
    return min(max(i64(y * scale.sy), 0), h - 1), min(max(i64(x * scale.sx), 0), w - 1)


@inner
def inside(scale: Scale, x: f32, y: f32) -> bool:
    return x >= 0 and x < scale.width and y >= 0 and y < scale.height


@inner
def shows(end: Array, depth_end: Array, scale: Scale, surface: int, x: f32, y: f32, d: float) -> bool:
    row, column = pixel_of(end, scale, x, y)
    if end[row, column] != surface:
        return False
    known, value, _, _, spread = sample_depth(depth_end, end, surface, x * scale.sx - HALF, y * scale.sy - HALF)
    return known and same_depth(d, f64(value), f64(spread))


@inner
def follow_vector(
    there: Array,
    back: Array,
    start: Array,
    end: Array,
    scale: Scale,
    x: f32,
    y: f32,
    surface: int,
) -> tuple[int, f32, f32, f32, f32, f32, f32]:
    """Status, place and stretch of a point that moves by vectors."""
    known, vx, vy, x_x, x_y, y_x, y_y = sample_vector(there, start, surface, x * scale.sx - HALF, y * scale.sy - HALF)
    x1, y1 = x + vx * scale.ux, y + vy * scale.uy
    m00, m01, m10, m11 = x_x + ONE, x_y * scale.sy_ux, y_x * scale.sx_uy, y_y + ONE
    status = GONE
    if known and inside(scale, x1, y1):
        row, column = pixel_of(end, scale, x1, y1)
        if end[row, column] == surface:
            known, bx, by, _, _, _, _ = sample_vector(back, end, surface, x1 * scale.sx - HALF, y1 * scale.sy - HALF)
            off_x = ((x1 + bx * scale.ux) - x) * scale.sx
            off_y = ((y1 + by * scale.uy) - y) * scale.sy
            if known and off_x * off_x + off_y * off_y <= RETURN_SQUARED:
                status = SEEN
    return status, x1, y1, m00, m01, m10, m11


@inner
def follow_matrix(
    start: Array,
    end: Array,
    depth_start: Array,
    depth_end: Array,
    matrices: Array,
    scale: Scale,
    x: f32,
    y: f32,
    calm: bool,
    surface: int,
    n: int,
) -> tuple[int, f32, f32, f32, f32, f32, f32]:
    """The same of a point that moves by a matrix."""
    xs, ys = x * scale.sx - HALF, y * scale.sy - HALF
    _, depth, along_x, along_y, _ = sample_depth(depth_start, start, surface, xs, ys)
    xm, ym, d = f64(xs), f64(ys), f64(depth)
    to_w = ((matrices[n, 3, 0] * xm + matrices[n, 3, 1] * ym) + matrices[n, 3, 2] * d) + matrices[n, 3, 3]
    inverse = 1.0 / to_w
    px = (((matrices[n, 0, 0] * xm + matrices[n, 0, 1] * ym) + matrices[n, 0, 2] * d) + matrices[n, 0, 3]) * inverse
    py = (((matrices[n, 1, 0] * xm + matrices[n, 1, 1] * ym) + matrices[n, 1, 2] * d) + matrices[n, 1, 3]) * inverse
    pd = (((matrices[n, 2, 0] * xm + matrices[n, 2, 1] * ym) + matrices[n, 2, 2] * d) + matrices[n, 2, 3]) * inverse
    x1, y1 = f32((px + 0.5) * f64(scale.ux)), f32((py + 0.5) * f64(scale.uy))
    if not (math.isfinite(pd) and to_w > 0 and inside(scale, x1, y1)):
        return HIDDEN, x1, y1, ZERO, ZERO, ZERO, ZERO
    if not calm and not shows(end, depth_end, scale, surface, x1, y1, pd):
        return HIDDEN, x1, y1, ZERO, ZERO, ZERO, ZERO
    slope_x, slope_y = f64(along_x), f64(along_y)
    w_x, w_y = (
        matrices[n, 3, 0] + matrices[n, 3, 2] * slope_x,
        matrices[n, 3, 1] + matrices[n, 3, 2] * slope_y,
    )
    x_x = ((matrices[n, 0, 0] + matrices[n, 0, 2] * slope_x) - px * w_x) * inverse
    y_x = ((matrices[n, 1, 0] + matrices[n, 1, 2] * slope_x) - py * w_x) * inverse
    x_y = ((matrices[n, 0, 1] + matrices[n, 0, 2] * slope_y) - px * w_y) * inverse
    y_y = ((matrices[n, 1, 1] + matrices[n, 1, 2] * slope_y) - py * w_y) * inverse
    return (
        SEEN,
        x1,
        y1,
        f32(x_x - 1.0) + ONE,
        f32(x_y) * scale.sy_ux,
        f32(y_x) * scale.sx_uy,
        f32(y_y - 1.0) + ONE,
    )


@inner
def follow_calm(there: Array, scale: Scale, x: f32, y: f32) -> tuple[int, f32, f32, f32, f32, f32, f32]:
    """`follow_vector` amid calm pixels, where all four corners count and nothing is hidden."""
    xs, ys = x * scale.sx - HALF, y * scale.sy - HALF
    i, j = int(xs), int(ys)
    tx, ty = xs - f32(i), ys - f32(j)
    vx, x_x, x_y = blend(
        there[j, i, 0],
        there[j, i + 1, 0],
        there[j + 1, i, 0],
        there[j + 1, i + 1, 0],
        tx,
        ty,
    )
    vy, y_x, y_y = blend(
        there[j, i, 1],
        there[j, i + 1, 1],
        there[j + 1, i, 1],
        there[j + 1, i + 1, 1],
        tx,
        ty,
    )
    x1, y1 = x + vx * scale.ux, y + vy * scale.uy
    status = SEEN if inside(scale, x1, y1) else GONE
    return status, x1, y1, x_x + ONE, x_y * scale.sy_ux, y_x * scale.sx_uy, y_y + ONE


@pasted
def follow(
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
    x: f32,
    y: f32,
) -> tuple[int, f32, f32, f32, f32, f32, f32]:
    row, column = pixel_of(start, scale, x, y)
    quiet = calm.size > 0 and calm[row, column]
    surface = start[row, column]
    if route.size > 0 and route[row, column] >= 0:
        return follow_matrix(
            start,
            end,
            depth_start,
            depth_end,
            matrices,
            scale,
            x,
            y,
            quiet,
            surface,
            route[row, column],
        )
    if quiet:
        return follow_calm(there, scale, x, y)
    return follow_vector(there, back, start, end, scale, x, y, surface)


@kernel
def move_atoms(
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
    leaf: f32,
    plain: bool,
    least_split: f32,
    status: Array,
    occupied: Array,
) -> None:
    """Moves atoms in place, but for those that are not seen; marks the pixels in which the others lie."""
    for i in prange(len(x)):
        row, column = pixel_of(start, scale, x[i], y[i])
        if calm.size > 0 and calm[row, column] and (route.size == 0 or route[row, column] < 0):
            found, x1, y1, m00, m01, m10, m11 = follow_calm(there, scale, x[i], y[i])
        else:  # a call with so many arrays costs more than what most atoms need
            found, x1, y1, m00, m01, m10, m11 = follow(
                there,
                back,
                start,
                end,
                depth_start,
                depth_end,
                matrices,
                route,
                calm,
                scale,
                x[i],
                y[i],
            )
        if found == SEEN:
            x[i], y[i] = x1, y1
            j00, j01, j10, j11 = (
                stretch[i, 0],
                stretch[i, 1],
                stretch[i, 2],
                stretch[i, 3],
            )
            n00, n01 = m00 * j00 + m01 * j10, m00 * j01 + m01 * j11
            n10, n11 = m10 * j00 + m11 * j10, m10 * j01 + m11 * j11
            stretch[i, 0], stretch[i, 1], stretch[i, 2], stretch[i, 3] = (
                n00,
                n01,
                n10,
                n11,
            )
            measure = leaf
            if not (plain and leaves <= code[i] < 2 * leaves):
                measure = measures[cells[cell[i], 1] + depth_of(code[i])]
            if abs(n00 * n11 - n01 * n10) * measure > least_split:
                found = LARGE
            column, row = min(i64(x1), scale.width - 1), min(i64(y1), scale.height - 1)
            occupied[row * scale.width + column] = True
        status[i] = found


@kernel
def mark_returning(
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
    good: Array,
) -> None:
    """Whether start pixels are seen in the end frame amid four pixels of their surface, at least a pixel inside."""
    h, w = start.shape
    for j in prange(h):
        for i in range(w):
            good[j, i] = returns(there, back, start, end, depth_start, depth_end, matrices, route, j, i)


@pasted
def returns(
    there: Array,
    back: Array,
    start: Array,
    end: Array,
    depth_start: Array,
    depth_end: Array,
    matrices: Array,
    route: Array,
    j: int,
    i: int,
) -> bool:
    h, w = start.shape
    surface = start[j, i]
    x, y = f32(i), f32(j)
    rigid = route.size > 0 and route[j, i] >= 0
    pd = 0.0
    if rigid:
        n = route[j, i]
        d = f64(depth_start[j, i, 0])
        to_w = ((matrices[n, 3, 0] * i + matrices[n, 3, 1] * j) + matrices[n, 3, 2] * d) + matrices[n, 3, 3]
        if not to_w > 0:
            return False
        inverse = 1.0 / to_w
        x1 = f32(
            (((matrices[n, 0, 0] * i + matrices[n, 0, 1] * j) + matrices[n, 0, 2] * d) + matrices[n, 0, 3]) * inverse
        )
        y1 = f32(
            (((matrices[n, 1, 0] * i + matrices[n, 1, 1] * j) + matrices[n, 1, 2] * d) + matrices[n, 1, 3]) * inverse
        )
        pd = (((matrices[n, 2, 0] * i + matrices[n, 2, 1] * j) + matrices[n, 2, 2] * d) + matrices[n, 2, 3]) * inverse
    else:
        x1, y1 = x + there[j, i, 0], y + there[j, i, 1]
    if not (x1 >= 1 and x1 <= w - 2 and y1 >= 1 and y1 <= h - 2):
        return False
    left, top = min(i64(math.floor(x1)), w - 2), min(i64(math.floor(y1)), h - 2)
    for row in range(top, top + 2):
        for column in range(left, left + 2):
            if end[row, column] != surface:
                return False
            if not rigid and not (math.isfinite(back[row, column, 0]) and math.isfinite(back[row, column, 1])):
                return False
    if rigid:
        known, value, _, _, spread = sample_depth(depth_end, end, surface, x1, y1)
        return known and same_depth(pd, f64(value), f64(spread))
    _, bx, by, _, _, _, _ = sample_vector(back, end, surface, x1, y1)
    off_x, off_y = (x1 + bx) - x, (y1 + by) - y
    return off_x * off_x + off_y * off_y <= CALM_SQUARED


@kernel
def mark_calm(start: Array, route: Array, good: Array, calm: Array) -> None:
    """Whether start pixels and their eight neighbours show one surface and are good."""
    h, w = start.shape
    for j in prange(1, h - 1):
        for i in range(1, w - 1):
            surface = start[j, i]
            result = True
            for row in range(j - 1, j + 2):
                for column in range(i - 1, i + 2):
                    result = result and good[row, column] and start[row, column] == surface
                    if route.size > 0:
                        result = result and route[row, column] == route[j, i]
            calm[j, i] = result


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
    calm: Array,
    scale: Scale,
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
    size = 1.0 / side
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
            mask = i64(0)
            for leaf in range(side * side):
                ix, iy = column * side + leaf_x[leaf], row * side + leaf_y[leaf]
                u, v = jitter(mix_place(bits, ix, iy), ix, iy, size, size)
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
                        calm,
                        scale,
                        x,
                        y,
                    )[0]
                    != SEEN
                ):
                    mask |= i64(1) << leaf
            masks[row * scale.width + column] = mask


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
