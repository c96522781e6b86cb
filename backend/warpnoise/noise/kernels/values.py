"""Compiled: the white noise of atoms, and where new atoms lie. The reference is `pyramid.Pyramid`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from ..jit import inner, kernel
from ..pyramid import GRAIN, GROUP_SHIFT, MAP_SHIFT, ROOT
from .tree import ancestor_of, depth_of, node_of, normals

Array = NDArray[Any]
u64, f32 = np.uint64, np.float32
HALF = f32(0.5)
BLOCK = 256  # atoms a thread takes at a time


@inner
def halve(value: f32, z: f32, size: f32, grain: f32, per_grain: f32, side: int) -> f32:
    """A half of a node's value (see `pyramid`)."""
    first = np.rint((value * HALF + z * size) * per_grain) * grain
    return value - first if side else first


@inner
def grains(halvings: int, level: int) -> tuple[f32, f32]:
    """The step between a level's values, and its inverse."""
    return f32(2.0 ** (halvings - GRAIN - (level >> 1))), f32(2.0 ** (GRAIN - halvings + (level >> 1)))


@kernel
def refined_values(
    cells: Array,
    cell: Array,
    code: Array,
    above: Array,
    above_rows: Array,
    above_values: Array,
    halvings: int,
    k0: u64,
    k1: u64,
    map_: int,
    out: Array,
) -> None:
    """W of nodes, (n, channels), from the values that nodes above them (heap codes below the same cells) have."""
    count, channels = out.shape
    for i in prange(count):
        z = np.empty((channels + 3) // 4 * 4, np.float32)
        steps = depth_of(code[i]) - depth_of(above[i])
        frame, level, ix, iy = node_of(cells, cell[i], code[i])
        for q in range(channels):
            out[i, q] = above_values[above_rows[i], q]
        for step in range(level - steps, level):
            ax, ay = ancestor_of(level, ix, iy, step)
            below_x, below_y = ancestor_of(level, ix, iy, step + 1)
            side = (below_y if step & 1 else below_x) & 1
            size = f32(2.0 ** (halvings - 1.0 - 0.5 * step))
            grain, per_grain = grains(halvings, step + 1)
            draw(z, ax, ay, frame, step, map_, k0, k1)
            for q in range(channels):
                out[i, q] = halve(out[i, q], z[q], size, grain, per_grain, side)


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
    groups = (channels + 3) // 4
    for block in prange((count + BLOCK - 1) // BLOCK):
        way_x, way_y = np.empty(64, np.int64), np.empty(64, np.int64)
        way, z = np.empty((64, 4 * groups), np.float32), np.empty((64, 4 * groups), np.float32)
        last_frame, reached, drawn = -1, -1, 0
        for i in range(block * BLOCK, min((block + 1) * BLOCK, count)):
            frame, level, ix, iy = node_of(cells, cell[rows[i]], code[rows[i]])
            # The deepest node that this way and the last one share.
            start = min(reached, level) if frame == last_frame else -1
            while start >= 0:
                ax, ay = ancestor_of(level, ix, iy, start)
                if way_x[start] == ax and way_y[start] == ay:
                    break
                start -= 1
            if start < 0:
                way_x[0], way_y[0] = ancestor_of(level, ix, iy, 0)
                draw(way[0], way_x[0], way_y[0], frame, ROOT, map_, k0, k1)
                grain = f32(2.0 ** (halvings - GRAIN))
                for q in range(4 * groups):
                    way[0, q] = np.rint(way[0, q] * f32(2.0**GRAIN)) * grain
                start, drawn = 0, 0
            drawn = min(drawn, start + 1)  # its normals are known too, if the last way went on from it
            for above in range(start, level):
                if above >= drawn:
                    drawn = above + 1
                    draw(z[above], way_x[above], way_y[above], frame, above, map_, k0, k1)
                below = above + 1
                way_x[below], way_y[below] = ancestor_of(level, ix, iy, below)
                side = (way_y[below] if above & 1 else way_x[below]) & 1
                size = f32(2.0 ** (halvings - 1.0 - 0.5 * above))
                grain, per_grain = grains(halvings, below)
                for q in range(4 * groups):
                    way[below, q] = halve(way[above, q], z[above, q], size, grain, per_grain, side)
            last_frame, reached = frame, level
            for q in range(channels):
                out[i, q] = way[level, q]


@inner
def draw(z: Array, ix: int, iy: int, frame: int, level: int, map_: int, k0: u64, k1: u64) -> None:
    """The normals of a node for all channels; ``level`` is ROOT for the base grid's values."""
    for group in range(len(z) // 4):
        word = u64(level + (group << GROUP_SHIFT) + (map_ << MAP_SHIFT))
        q = 4 * group
        z[q], z[q + 1], z[q + 2], z[q + 3] = normals(u64(ix), u64(iy), u64(frame), word, k0, k1)
