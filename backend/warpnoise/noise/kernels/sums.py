"""Compiled: a frame's noise from its atoms. The reference is `reference.accumulate` and `reference.finish`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from ..jit import kernel
from .tree import measure_of

Array = NDArray[Any]
f32 = np.float32
BLOCK = 256  # pixels a thread takes at a time


@kernel
def add_up(
    x: Array,
    y: Array,
    cell: Array,
    code: Array,
    cells: Array,
    measures: Array,
    cells_level: int,
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
    for thread in prange(threads):
        first_row, end_row = height * thread // threads, height * (thread + 1) // threads
        for n in range(count):
            i = first + n
            row = min(max(int(y[i]), 0), height - 1)
            if first_row <= row < end_row:
                p = row * width + min(max(int(x[i]), 0), width - 1)
                total[p] += measure_of(cells, cell[i], code[i], measures, cells_level)
                for q in range(channels):
                    sums[p, q] += values[n, q]


@kernel
def divide(sums: Array, total: Array, out: Array) -> None:
    """out[c, p] = sums[p, c] / sqrt(total[p])."""
    channels, pixels = out.shape
    for block in prange((pixels + BLOCK - 1) // BLOCK):
        first, end = block * BLOCK, min((block + 1) * BLOCK, pixels)
        roots = np.empty(BLOCK, np.float32)
        for p in range(first, end):
            roots[p - first] = math.sqrt(total[p])
        for q in range(channels):
            for p in range(first, end):
                out[q, p] = sums[p, q] / roots[p - first]
