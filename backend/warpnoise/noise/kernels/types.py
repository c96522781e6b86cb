"""The scalar types and records of the kernels.

Scalars in kernels have 32 or 64 bits. A type checker sees them as float and int. Records are tuples of arrays and
scalars, which Numba passes to CPU threads and to CUDA.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

Array = Any
"""A torch tensor on the host; a NumPy or CUDA array in a kernel."""

if TYPE_CHECKING:

    def f32(value: float) -> float: ...
    def f64(value: float) -> float: ...
    def i32(value: float) -> int: ...
    def i64(value: float) -> int: ...
    def u64(value: float) -> int: ...
else:
    f32, f64, i32, i64, u64 = np.float32, np.float64, np.int32, np.int64, np.uint64

ZERO, HALF, ONE = f32(0.0), f32(0.5), f32(1.0)

DEAD, VISIBLE, OCCLUDED = 0, 1, 2
"""States of a particle."""
LARGE, LEAVING, UNTESTED, ADVECTED = 3, 4, 5, 6
"""States within a step. LARGE: visible, and to be split. LEAVING: occluded, but not yet entered in :class:`Occlusion`.
UNTESTED: visible in the old frame, and not yet advected. ADVECTED: advected and visible, but to be tested for a split
and for leaves in its area."""

FRAME_SHIFT, LEVEL = 6, 63
"""The shift of the frame in a particle's ``origin``, and the mask of the level."""


class Pass(NamedTuple):
    """A motion in one direction, from a source frame to a target frame, of h x w motion pixels."""

    flow: Array
    """(h, w, 2) float32: displacement of source pixels to the target frame, motion pixels."""
    reverse: Array
    """(h, w, 2) float32: displacement of target pixels back to the source frame."""
    source: Array
    """(h, w) int32: surfaces of the source frame."""
    target: Array
    """(h, w) int32: surfaces of the target frame."""
    source_depth: Array
    """(h, w, 1) float32 projective depth, or (0, 0, 1): unknown."""
    target_depth: Array
    surfaces: Array
    """(m,) int32, sorted: surfaces with a transform."""
    transforms: Array
    """(m, 4, 4) float64, from the source frame to the target frame, in noise pixels and projective depth."""
    transform_of: Array
    """(h, w) int32: the index of a source pixel's transform; -1: it moves by its flow. (0, 0): no transforms."""
    interior: Array
    """(h, w) int32: 1 where pixels (j, i) to (j + 1, i + 1) of the source frame are unoccluded and show one surface."""
    sx: float
    """Motion pixels per noise pixel, float32."""
    sy: float
    ux: float
    """Noise pixels per motion pixel, float32."""
    uy: float


class Particles(NamedTuple):
    """The table of particles: visible, occluded and dead ones."""

    x: Array
    """(n,) float32, noise pixels from the frame's top left corner."""
    y: Array
    x_u: Array
    """(n,) float32: the Jacobian dx/du, dx/dv, dy/du, dy/dv of the place by the place (u, v) at spawn."""
    x_v: Array
    y_u: Array
    y_v: Array
    origin: Array
    """(n,) int32: frame of spawn << FRAME_SHIFT | level. Together with ``ix`` and ``iy``, it is the tree address."""
    ix: Array
    """(n,) int32: column and row on the level's grid."""
    iy: Array
    state: Array
    """(n,) int8: DEAD, VISIBLE or OCCLUDED."""


class Occlusion(NamedTuple):
    """Entries of occluded particles, with their state when they became occluded. Their Jacobians stay in the table."""

    row: Array
    """(n,) int64: the row in the table of particles. -1: the entry is empty."""
    x: Array
    """(n,) float32, noise pixels."""
    y: Array
    depth: Array
    """(n,) float32: projective depth."""
    slope: Array
    """(n, 2) float32: the derivatives dd/du, dd/dv by the place (u, v) at spawn."""
    group: Array
    """(n,) int32: the index of the group in :class:`Groups`."""


class Groups(NamedTuple):
    """The motion of groups of particles, each of one surface, that became occluded in the same frame."""

    surface: Array
    """(g,) int32."""
    transform: Array
    """(g, 4, 4) float64, in noise pixels and projective depth. NaN: the surface had no transform in a step."""


class Tree(NamedTuple):
    """The binary tree of white noise over a grid of noise pixels."""

    seed: int
    """uint64: the mixed seed, for places and choices."""
    key0: int
    """uint64: the low and the high 32 bits of Philox's key."""
    key1: int
    halvings: int
    """The number of doublings from the base grid to the pixel grid, whose level is 2 * halvings."""
    shift: int
    """log2 of k: a pixel has k x k leaves."""
    leaf: int
    """The level of the leaves: 2 * (halvings + shift)."""
    least: float
    """float32: the area, noise pixels, above which a particle may be split. Above twice this, it is split."""
    measures: Array
    """(64,) float32: the area of the nodes of each level, noise pixels."""
    width: int
    """The size of the noise, pixels."""
    height: int


class Node(NamedTuple):
    """A node of the tree: the frame of spawn, the level, and the column and row on the level's grid."""

    frame: int
    level: int
    ix: int
    iy: int


class Step(NamedTuple):
    """The arguments of most kernels that advance the noise by a frame."""

    particles: Particles
    occluded: Occlusion
    groups: Groups
    motion: Pass
    tree: Tree


class Leaves(NamedTuple):
    """The k x k leaves of each of m pixels of a frame, where particles may be spawned."""

    frame: int
    pixels: Array
    """(m,) int64, row-major."""
    slots: Array
    """(height * width,) int32: the index of each pixel in ``pixels``, or -1."""
    points: Array
    """(m, k, k, 2) float32, by row and column: the points of the leaves, noise pixels. x is NaN: dropped."""
    near: Array
    """(height * width,) int32: 1 in pixels within reach of leaves that known particles may drop, else 0."""


class Scratch(NamedTuple):
    """The memory of a thread, by level of the tree, for a batch of ``width`` channels: 4, or a multiple of 32."""

    values: Array
    """(64, width) float32."""
    normals: Array
    """(64, width) float32."""
    places: Array
    """(64, 2) int64: the column and row."""
