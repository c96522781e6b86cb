"""Noise transport, in the order of Chang et al., "How I Warped Your Noise" (ICLR 2024, arXiv 2504.03072).

White noise W lives on the surfaces as particles. A particle carries W(A) of one area A of the frame in which it was
spawned. Its value never changes, its place does. From a frame to the next:

1. **Advect** (:func:`advect`; eq. 4: a warped area has the noise of the area before the warp). A particle moves along
   the flow of its surface, or by the surface's transform.
2. **Visibility** (`kernels.visibility`, `kernels.occluded`). A particle that the next frame does not show dies; if a
   transform tells where it is, it stays as an occluded one.
3. **Split and merge** (:func:`split`, `kernels.merging`; eq. 3, :func:`.kernels.white.split_value`: refinement
   conditional on the value).
4. **Spawn** (`kernels.leaves`, :func:`spawn`, :func:`.kernels.white.draw_white_noise`). Where the frame shows something
   new, new particles get uncorrelated white noise.
5. **Splat and normalize** (:func:`splat`, :func:`normalize`; eq. 5): n = sum of W(A) / sqrt(sum of |A|) over a pixel.

Every kernel runs for one index ``n``, on CPU threads and on CUDA. `warped.WarpedNoise` calls them in this order.
`kernels.types` describes the records.
"""

from __future__ import annotations

import math

from .kernels.compile import add, kernel
from .kernels.leaves import arrive
from .kernels.sampling import inside, pixel_at
from .kernels.tree import (
    child_of,
    half_with,
    leaf_place,
    measure_of,
    node_at,
    pixel_of,
    point_of,
    put_node,
    split_area,
)
from .kernels.types import (
    LARGE,
    LEAVING,
    OCCUPIED,
    ONE,
    VISIBLE,
    Array,
    Leaves,
    Node,
    Particles,
    Step,
    Tree,
    f32,
    i64,
    u64,
)
from .kernels.visibility import advect_interior, advect_point, is_interior

MAX_DEPTH = 30
"""Levels below a pixel, from which on particles are not split further."""


# 1. Advect; 2. visibility


@kernel
def advect(n: int, s: Step, leaves: Leaves, flags: Array) -> None:
    """Moves a visible particle: x' = x + flow(x), J' = (1 + d flow / dx) J.

    Args:
        flags: (height * width,) uint8: NEAR and OCCUPIED pixels.
    """
    particles, p, tree = s.particles, s.motion, s.tree
    if particles.state[n] != VISIBLE:
        return
    x, y = particles.x[n], particles.y[n]
    row, column = pixel_at(p.source, p, x, y)
    if is_interior(p, row, column):
        state, x1, y1, m00, m01, m10, m11 = advect_interior(p, row, column, x, y)
    else:
        state, x1, y1, m00, m01, m10, m11 = advect_point(p, x, y)
    if state != VISIBLE:
        particles.state[n] = state
        return
    particles.x[n], particles.y[n] = x1, y1
    if m00 != ONE or m01 != 0 or m10 != 0 or m11 != ONE:
        j = particles.jacobian
        j00, j01, j10, j11 = j[n, 0], j[n, 1], j[n, 2], j[n, 3]
        n00, n01 = m00 * j00 + m01 * j10, m00 * j01 + m01 * j11
        n10, n11 = m10 * j00 + m11 * j10, m10 * j01 + m11 * j11
        j[n, 0], j[n, 1], j[n, 2], j[n, 3] = n00, n01, n10, n11
        if abs(m00 * m11 - m01 * m10) > ONE:  # else it was split before, if it had to be
            area = abs(n00 * n11 - n01 * n10) * measure_of(tree, particles, n)
            if area > tree.least and area > split_area(tree, node_at(particles, n)):
                particles.state[n] = LARGE
    arrive(s, leaves, flags, n)


# 3. Split and merge


@kernel
def split(n: int, s: Step, rows: Array, to: Array, flags: Array) -> None:
    """Halves the LARGE particle of row ``rows[n]``.

    The half that contains the particle's point keeps its row. The other half, in row ``to[n]``, lies where the Jacobian
    carries its point. It is occluded if that shows another surface or is out of the frame. An origin of -1 in row
    ``to[n]`` says that the particle was not halved.
    """
    particles, p, tree, j = s.particles, s.motion, s.tree, s.particles.jacobian
    at, new = rows[n], to[n]
    node = node_at(particles, at)
    particles.state[at], particles.origin[new] = VISIBLE, -1
    if node.level >= 2 * tree.halvings + MAX_DEPTH:
        return
    u, v = point_of(tree, node)
    side = half_with(tree, node, u, v)
    kept, other = child_of(node, side), child_of(node, 1 - side)
    u1, v1 = point_of(tree, other)
    step_u, step_v = f32(u1 - u), f32(v1 - v)
    x, y = particles.x[at], particles.y[at]
    x1 = x + (j[at, 0] * step_u + j[at, 1] * step_v)
    y1 = y + (j[at, 2] * step_u + j[at, 3] * step_v)
    area = abs(j[at, 0] * j[at, 3] - j[at, 1] * j[at, 2]) * tree.measures[kept.level]
    put_node(particles, at, kept)
    put_node(particles, new, other)
    if area > split_area(tree, kept):
        particles.state[at] = LARGE
    particles.x[new], particles.y[new] = x1, y1
    for part in range(4):
        j[new, part] = j[at, part]
    if inside(p, x1, y1) and p.target[pixel_at(p.target, p, x, y)] == p.target[pixel_at(p.target, p, x1, y1)]:
        particles.state[new] = LARGE if area > split_area(tree, other) else VISIBLE
        flags[pixel_of(tree, x1, y1)] = OCCUPIED
    elif p.surfaces.size > 0:
        particles.state[new] = LEAVING


# 4. Spawn


@kernel
def spawn(
    n: int, particles: Particles, tree: Tree, frame: int, leaves: Leaves, chosen: Array, first: Array, rows: Array
) -> None:
    """Puts the leaves of pixel ``pixels[chosen[n]]`` into the table, from ``rows[first[n]]`` on."""
    shift, slot = (tree.leaf >> 1) - tree.halvings, chosen[n]
    column, row = leaves.pixels[slot] % tree.width, leaves.pixels[slot] // tree.width
    place, jacobian = first[n], particles.jacobian
    for leaf in range(1 << (2 * shift)):
        i, j = leaf_place(leaf, shift)
        x, y = leaves.points[slot, j, i, 0], leaves.points[slot, j, i, 1]
        if not math.isnan(x):
            at = rows[place]
            particles.x[at], particles.y[at], particles.state[at] = x, y, VISIBLE
            jacobian[at, 0], jacobian[at, 1], jacobian[at, 2], jacobian[at, 3] = 1.0, 0.0, 0.0, 1.0
            put_node(particles, at, Node(frame, tree.leaf, (column << shift) + i, (row << shift) + j))
            place += 1


# 5. Splat and normalize


@kernel
def splat(
    n: int, top: int, bottom: int, first: int, particles: Particles, tree: Tree, values: Array, w: Array, area: Array
) -> None:
    """Adds W and |A| of particle ``first + n``, if it is visible, to its pixel: exact sums, in any order.

    Args:
        top, bottom: only to pixels from this row to before that one.
        values: (m, channels) float32: W of particle ``first + n`` in row n.
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
