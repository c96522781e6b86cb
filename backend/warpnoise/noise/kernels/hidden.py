"""Compiled: atoms out of sight. The reference is `hidden` and `follow.follow_hidden`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from ..follow import GONE, HIDDEN, SEEN
from ..jit import kernel
from ..rigid import FARTHEST
from .rigid import along, project
from .sampling import HALF, Scale, inside, pixel_of, sample_depth, shows

Array = NDArray[Any]
f32, f64 = np.float32, np.float64
FAR = f32(FARTHEST)


@kernel
def hide(
    start: Array,
    depth_start: Array,
    matrices: Array,
    route: Array,
    scale: Scale,
    x: Array,
    y: Array,
    stretch: Array,
    to_x: Array,
    to_y: Array,
    to_d: Array,
    to_stretch: Array,
    behind: Array,
    surface: Array,
    sane: Array,
) -> None:
    """Where atoms that were seen in the start frame are in the end frame, and which of them are worth keeping."""
    sx, sy, ux, uy = f64(scale.sx), f64(scale.sy), f64(scale.ux), f64(scale.uy)
    for i in prange(len(x)):
        row, column = pixel_of(start, scale, x[i], y[i])
        own, n = start[row, column], route[row, column]
        xs, ys = x[i] * scale.sx - HALF, y[i] * scale.sy - HALF
        _, depth, along_x, along_y, _ = sample_depth(depth_start, start, own, xs, ys)
        px, py, pd, inverse, front = project(matrices, n, f64(xs), f64(ys), f64(depth))
        x_x, y_x, d_x = along(matrices, n, px, py, pd, inverse, 0, f64(along_x))
        x_y, y_y, d_y = along(matrices, n, px, py, pd, inverse, 1, f64(along_y))
        good = True
        for part in range(2):  # from birth to now and on, of u and of v
            by_x, by_y = f64(stretch[i, part]) * sx, f64(stretch[i, 2 + part]) * sy
            to_stretch[i, part] = f32((x_x * by_x + x_y * by_y) * ux)
            to_stretch[i, 2 + part] = f32((y_x * by_x + y_y * by_y) * uy)
            to_stretch[i, 4 + part] = f32(d_x * by_x + d_y * by_y)
            for k in range(3):
                good = good and math.isfinite(to_stretch[i, 2 * k + part])
        to_x[i], to_y[i], to_d[i] = f32((px + 0.5) * ux), f32((py + 0.5) * uy), f32(pd)
        behind[i], surface[i] = not front, own
        sane[i] = good and abs(to_x[i]) < FAR and abs(to_y[i]) < FAR and math.isfinite(to_d[i])


@kernel
def beside(
    end: Array,
    depth_end: Array,
    surfaces: Array,
    trusted: Array,
    scale: Scale,
    at_x: Array,
    at_y: Array,
    stretch: Array,
    x: Array,
    y: Array,
    to_d: Array,
    to_stretch: Array,
    surface: Array,
    known: Array,
) -> None:
    """Depth and stretch of atoms at places on the continuation of what is seen at (x, y)."""
    for i in prange(len(x)):
        row, column = pixel_of(end, scale, x[i], y[i])
        own = end[row, column]
        has, value, along_x, along_y, _ = sample_depth(
            depth_end, end, own, x[i] * scale.sx - HALF, y[i] * scale.sy - HALF
        )
        slope_x, slope_y = along_x * scale.sx, along_y * scale.sy
        for part in range(4):
            to_stretch[i, part] = stretch[i, part]
        for part in range(2):
            to_stretch[i, 4 + part] = slope_x * stretch[i, part] + slope_y * stretch[i, 2 + part]
        to_d[i] = value + (slope_x * (at_x[i] - x[i]) + slope_y * (at_y[i] - y[i]))
        n = np.searchsorted(surfaces, own)
        surface[i] = own
        known[i] = n < len(surfaces) and surfaces[n] == own and trusted[n] and has and math.isfinite(to_d[i])


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
    """Moves hidden atoms in place. What has no depth is a gap in the table."""
    known = len(surfaces)
    sx, sy, ux, uy = f64(scale.sx), f64(scale.sy), f64(scale.ux), f64(scale.uy)
    for i in prange(len(x)):
        status[i] = GONE
        if math.isnan(d[i]):
            continue
        n = np.searchsorted(surfaces, surface[i])
        if n == known or surfaces[n] != surface[i] or not trusted[n]:
            continue
        px, py, pd, inverse, front = project(matrices, n, f64(x[i]) * sx - 0.5, f64(y[i]) * sy - 0.5, f64(d[i]))
        sane = True
        for part in range(2):
            t0, t1, t2 = f64(stretch[i, part]) * sx, f64(stretch[i, 2 + part]) * sy, f64(stretch[i, 4 + part])
            tx = (matrices[n, 0, 0] * t0 + matrices[n, 0, 1] * t1) + matrices[n, 0, 2] * t2
            ty = (matrices[n, 1, 0] * t0 + matrices[n, 1, 1] * t1) + matrices[n, 1, 2] * t2
            td = (matrices[n, 2, 0] * t0 + matrices[n, 2, 1] * t1) + matrices[n, 2, 2] * t2
            tw = (matrices[n, 3, 0] * t0 + matrices[n, 3, 1] * t1) + matrices[n, 3, 2] * t2
            stretch[i, part] = f32(((tx - px * tw) * inverse) * ux)
            stretch[i, 2 + part] = f32(((ty - py * tw) * inverse) * uy)
            stretch[i, 4 + part] = f32((td - pd * tw) * inverse)
            for k in range(3):
                sane = sane and math.isfinite(stretch[i, 2 * k + part])
        x[i], y[i], d[i] = f32((px + 0.5) * ux), f32((py + 0.5) * uy), f32(pd)
        behind[i] = behind[i] != (not front)
        if not (sane and abs(x[i]) < FAR and abs(y[i]) < FAR and math.isfinite(d[i])):
            continue
        status[i] = HIDDEN
        if not behind[i] and inside(scale, x[i], y[i]) and shows(end, depth_end, scale, surface[i], x[i], y[i], pd):
            status[i] = SEEN
