"""Noise transport, in the order of Chang et al., "How I Warped Your Noise" (ICLR 2024, arXiv 2504.03072).

Particles on the surfaces carry white noise W. Each has the value W(A) of an area A of the frame in which it was
spawned. A particle's value never changes, but its place does. Each new frame takes these steps:

1. **Advect** (:func:`advect`; eq. 4: a warped area has the noise of the area before the warp). A particle moves along
   the flow of its surface, or by the surface's transform.
2. **Visibility** (:func:`check_visibility`, `kernels.occluded`). A particle that the new frame does not show becomes
   occluded if its surface has a transform. Otherwise, it is removed.
3. **Split and merge** (:func:`split`, `kernels.merging`; eq. 3, :func:`.kernels.white.split_value`: refinement
   conditional on the value).
4. **Spawn** (`kernels.leaves`, :func:`spawn`, :func:`.kernels.white.draw_white_noise`). Disoccluded pixels get new
   particles with uncorrelated white noise.
5. **Splat and normalize** (:func:`splat`, :func:`normalize`; eq. 5): n = sum of W(A) / sqrt(sum of |A|) over a pixel.

A kernel handles one index ``n``, on CPU threads and on CUDA. `warped.WarpedNoise` runs the kernels in this order.
`kernels.types` describes the records.
"""

from __future__ import annotations

import math

from .kernels.compile import add, kernel
from .kernels.leaves import drop_leaves
from .kernels.sampling import blend, clamped, pixel_at
from .kernels.tree import (
    child_of,
    half_with,
    inside,
    leaf_place,
    measure_of,
    node_at,
    pixel_of,
    point_of,
    put_node,
    put_place,
    visible_state,
)
from .kernels.types import (
    ADVECTED,
    HALF,
    LEAVING,
    ONE,
    UNTESTED,
    VISIBLE,
    ZERO,
    Array,
    Leaves,
    Node,
    Particles,
    Step,
    Tree,
    f32,
    i32,
    i64,
    u64,
)
from .kernels.visibility import advect_point, product

MAX_DEPTH = 30
"""The number of levels below a pixel to which particles are split."""


# 1. Advect: eq. 4


@kernel
def advect(n: int, s: Step, flow: Array, interior: Array, near: Array) -> None:
    """Moves a visible particle in an interior square: x' = x + flow(x), J' = (1 + d flow / dx) J.

    Other visible particles become UNTESTED, and those that need further tests ADVECTED. The code has no branches, and
    indices of 32 bits, so that a CPU moves a vector register of particles at a time.

    Args:
        flow, interior: the fields of ``Pass``, flattened.
        near: the field of ``Leaves``. Empty: no surface has a transform.
    """
    a, p, tree, at = s.particles, s.motion, s.tree, u64(n)
    h, w = i32(p.source.shape[0]), i32(p.source.shape[1])
    x, y, state = a.x[at], a.y[at], a.state[at]
    xs, ys = x * p.sx - HALF, y * p.sy - HALF
    i, j = i32(clamped(xs, f32(w - 2))), i32(clamped(ys, f32(h - 2)))
    tx, ty, cell = xs - f32(i), ys - f32(j), i32(j * w + i)
    c0, c1 = i32(2 * cell), i32(2 * cell + 2 * w)
    a_x, b_x, c_x, d_x = flow[u64(c0)], flow[u64(i32(c0 + 2))], flow[u64(c1)], flow[u64(i32(c1 + 2))]
    a_y, b_y, c_y, d_y = flow[u64(i32(c0 + 1))], flow[u64(i32(c0 + 3))], flow[u64(i32(c1 + 1))], flow[u64(i32(c1 + 3))]
    vx, x_x, x_y = blend(a_x, b_x, c_x, d_x, tx, ty)
    vy, y_x, y_y = blend(a_y, b_y, c_y, d_y, tx, ty)
    x1, y1 = x + vx * p.ux, y + vy * p.uy
    right, bottom = f32(tree.width), f32(tree.height)
    in_frame = (x1 >= 0) & (x1 < right) & (y1 >= 0) & (y1 < bottom)
    visible = state == VISIBLE
    moved = visible & (interior[u64(cell)] != 0) & in_frame
    m00, m01, m10, m11 = x_x + ONE, x_y * (p.sy * p.ux), y_x * (p.sx * p.uy), y_y + ONE
    x_u, x_v, y_u, y_v = product(m00, m01, m10, m11, a.x_u[at], a.x_v[at], a.y_u[at], a.y_v[at])
    a.x[at], a.y[at] = x1 if moved else x, y1 if moved else y
    a.x_u[at], a.x_v[at] = x_u if moved else a.x_u[at], x_v if moved else a.x_v[at]
    a.y_u[at], a.y_v[at] = y_u if moved else a.y_u[at], y_v if moved else a.y_v[at]
    # A particle whose area has not grown needs no split: it was split before if necessary.
    unsettled = (abs(m00 * m11 - m01 * m10) > ONE) & (abs(x_u * y_v - x_v * y_u) * measure_of(tree, a, at) > tree.least)
    if near.size > 0:
        pixel = i32(i32(clamped(y1, bottom - ONE)) * i32(tree.width) + i32(clamped(x1, right - ONE)))
        unsettled |= near[u64(pixel)] != 0
    a.state[at] = (ADVECTED if unsettled else VISIBLE) if moved else (UNTESTED if visible else state)


# 2. Visibility


@kernel
def check_visibility(n: int, s: Step, leaves: Leaves, rows: Array) -> None:
    """Advects the particle of row ``rows[n]`` and tests its visibility, unless it is ADVECTED; then tests its area."""
    a, tree, at = s.particles, s.tree, rows[n]
    if a.state[at] != ADVECTED:
        state, x, y, m00, m01, m10, m11 = advect_point(s.motion, tree, a.x[at], a.y[at])
        a.state[at] = state
        if state != VISIBLE:
            return
        x_u, x_v, y_u, y_v = product(m00, m01, m10, m11, a.x_u[at], a.x_v[at], a.y_u[at], a.y_v[at])
        put_place(a, at, x, y, x_u, x_v, y_u, y_v)
    a.state[at] = visible_state(tree, a, at)
    drop_leaves(s, leaves, at)


# 3. Split and merge: eq. 3


@kernel
def split(n: int, s: Step, rows: Array, to: Array) -> None:
    """Splits the LARGE particle of row ``rows[n]`` between the two children of its node.

    The child that contains the particle's point keeps the row. The place of the other child, in row ``to[n]``, follows
    from the Jacobian. If this place is out of the frame or on another surface, the child is occluded. If the node
    cannot be split, the origin in row ``to[n]`` is -1.
    """
    a, p, tree, at, new = s.particles, s.motion, s.tree, rows[n], to[n]
    node = node_at(a, at)
    a.state[at], a.origin[new] = VISIBLE, -1
    if node.level >= 2 * tree.halvings + MAX_DEPTH:
        return
    u, v = point_of(tree, node)
    side = half_with(tree, node, u, v)
    other = child_of(node, 1 - side)
    u1, v1 = point_of(tree, other)
    step_u, step_v = f32(u1 - u), f32(v1 - v)
    x, y, x_u, x_v, y_u, y_v = a.x[at], a.y[at], a.x_u[at], a.x_v[at], a.y_u[at], a.y_v[at]
    x1, y1 = x + (x_u * step_u + x_v * step_v), y + (y_u * step_u + y_v * step_v)
    put_node(a, at, child_of(node, side))
    put_node(a, new, other)
    put_place(a, new, x1, y1, x_u, x_v, y_u, y_v)
    a.state[at] = visible_state(tree, a, at)
    if inside(tree, x1, y1) and p.target[pixel_at(p, x, y)] == p.target[pixel_at(p, x1, y1)]:
        a.state[new] = visible_state(tree, a, new)
    elif p.surfaces.size > 0:
        a.state[new] = LEAVING


# 4. Spawn


@kernel
def spawn(n: int, particles: Particles, tree: Tree, leaves: Leaves, chosen: Array, first: Array, rows: Array) -> None:
    """Writes the leaves of pixel ``pixels[chosen[n]]`` to the table, from row ``rows[first[n]]`` on."""
    shift, slot = tree.shift, chosen[n]
    column, row = leaves.pixels[slot] % tree.width, leaves.pixels[slot] // tree.width
    place = first[n]
    for leaf in range(1 << (2 * shift)):
        i, j = leaf_place(leaf, shift)
        x, y = leaves.points[slot, j, i, 0], leaves.points[slot, j, i, 1]
        if not math.isnan(x):
            at = rows[place]
            particles.state[at] = VISIBLE
            put_place(particles, at, x, y, ONE, ZERO, ZERO, ONE)
            put_node(particles, at, Node(leaves.frame, tree.leaf, (column << shift) + i, (row << shift) + j))
            place += 1


# 5. Splat and normalize: eq. 5, n = sum of W(A) / sqrt(sum of |A|)


@kernel
def splat(
    n: int, top: int, bottom: int, first: int, particles: Particles, tree: Tree, values: Array, w: Array, area: Array
) -> None:
    """Adds W and |A| of particle ``first + n``, if it is visible, to its pixel. The sums are exact in any order.

    Args:
        top, bottom: the range of pixel rows to which the particle is added.
        values: (m, channels) float32. Row n is W of particle ``first + n``.
        w: (pixels, channels) float64, the sums of W(A).
        area: (pixels,) float64, the sums of |A|.
    """
    at = u64(first + n)
    if particles.state[at] == VISIBLE and top <= i64(particles.y[at]) < bottom:
        pixel = pixel_of(tree, particles.x[at], particles.y[at])
        add(area, pixel, measure_of(tree, particles, at))
        for q in range(values.shape[1]):
            add(w, (pixel, q), values[n, q])


@kernel
def normalize(n: int, block: int, w: Array, area: Array, noise: Array) -> None:
    """Eq. 5: n(i) = W(A_i) / sqrt(|A_i|), for the pixels i of block n; sets the sums to 0 for the next frame.

    ``noise`` is (channels, pixels) float32.
    """
    first, end = n * block, min((n + 1) * block, area.shape[0])
    for i in range(first, end):
        area[i] = math.sqrt(area[i])
    for q in range(noise.shape[0]):
        for i in range(first, end):
            noise[q, i] = f32(w[i, q] / area[i])
            w[i, q] = 0.0
    for i in range(first, end):
        area[i] = 0.0
