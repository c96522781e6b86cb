"""Scalar types and records of the kernels.

A kernel's scalars are 32-bit or 64-bit; a type checker sees them as float and int. Records are tuples of arrays and
scalars, so Numba passes them to CPU threads and to CUDA alike.
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

ONE, HALF = f32(1.0), f32(0.5)

DEAD, VISIBLE, OCCLUDED = 0, 1, 2
"""States of a particle."""
LARGE = 3
"""Visible and due to be split; only within a step."""
LEAVING = 4
"""Occluded in this step, its depth still unknown; only within a step."""
UNTESTED, ADVECTED = 5, 6
"""Not advected yet, as its visibility must be tested; advected and visible, but its area must be compared with that of
its node, or with leaves nearby. Only within a step."""

FRAME_SHIFT, LEVEL = 6, 63
"""Of a particle's ``origin``: where the frame begins, and the bits of the level."""


class Pass(NamedTuple):
    """A motion in one direction, from a source frame to a target frame, of h x w motion pixels."""

    flow: Array
    """(h, w, 2) float32: displacement of source pixels, motion pixels."""
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
    """(h, w) int32: the transform by which a source pixel moves; -1: its flow. (0, 0): no transforms."""
    interior: Array
    """(h, w) int32: 1 where pixels (j, i) to (j + 1, i + 1) of the source frame are unoccluded and show one surface."""
    sx: float
    """Motion pixels per noise pixel, float32."""
    sy: float
    ux: float
    """Noise pixels per motion pixel, float32."""
    uy: float
    sy_ux: float
    sx_uy: float
    width: int
    """Of the noise, pixels."""
    height: int


class Particles(NamedTuple):
    """Rows of the table of particles, visible, occluded and dead."""

    x: Array
    """(n,) float32, noise pixels from the frame's top left corner."""
    y: Array
    x_u: Array
    """(n,) float32: the Jacobian dx/du, dx/dv, dy/du, dy/dv of the place now by the place (u, v) at spawn."""
    x_v: Array
    y_u: Array
    y_v: Array
    origin: Array
    """(n,) int32: frame of spawn << FRAME_SHIFT | level. With ``ix`` and ``iy`` it is the particle's tree address."""
    ix: Array
    """(n,) int32: column and row on the level's grid."""
    iy: Array
    state: Array
    """(n,) int8: DEAD, VISIBLE or OCCLUDED."""


class Occlusion(NamedTuple):
    """Entries of occluded particles: where each was when it was occluded. Its Jacobian stays as it was then."""

    row: Array
    """(n,) int64: row in the table of particles; -1: a gap."""
    x: Array
    """(n,) float32, noise pixels."""
    y: Array
    depth: Array
    """(n,) float32: projective depth."""
    slope: Array
    """(n, 2) float32: dd/du, dd/dv by the place (u, v) at spawn."""
    group: Array
    """(n,) int32: the entry's index in :class:`Groups`."""


class Groups(NamedTuple):
    """Groups of particles of one surface that were occluded in one frame: how they have moved since."""

    surface: Array
    """(g,) int32."""
    transform: Array
    """(g, 4, 4) float64, in noise pixels and projective depth; NaN: the surface's motion was unknown in a step."""


class Tree(NamedTuple):
    """The binary tree of white noise over a grid of noise pixels."""

    seed: int
    """uint64: mixed seed of places and choices."""
    key0: int
    """uint64: Philox's key, its low 32 bits and its high 32 bits."""
    key1: int
    halvings: int
    """Doublings from the base grid to the pixel grid: pixels are nodes of level 2 * halvings."""
    leaf: int
    """Level of the leaves."""
    least: float
    """float32: area, noise pixels, above which a particle may be split; at twice this it is."""
    measures: Array
    """(64,) float32: area of nodes by level, noise pixels."""
    width: int
    """Of the noise, pixels."""
    height: int


class Node(NamedTuple):
    """One area of the tree: the frame in which it was spawned, its level, its column and row on the level's grid."""

    frame: int
    level: int
    ix: int
    iy: int


class Step(NamedTuple):
    """What kernels work on when they advance the noise by a frame."""

    particles: Particles
    occluded: Occlusion
    groups: Groups
    motion: Pass
    tree: Tree


class Leaves(NamedTuple):
    """Leaves to be spawned, of m pixels of k x k leaves."""

    pixels: Array
    """(m,) int64, row-major."""
    slots: Array
    """(height * width,) int32: the place of each pixel in ``pixels``, or -1."""
    points: Array
    """(m, k, k, 2) float32, by row and column: the leaves' points, noise pixels; x is NaN: not to be spawned."""


class Scratch(NamedTuple):
    """Memory of one thread, by level of the tree, for a batch of ``width`` channels: 4, or a multiple of 32."""

    values: Array
    """(64, width) float32."""
    normals: Array
    """(64, width) float32."""
    places: Array
    """(64, 2) int64: columns and rows."""
