"""Noise transport, in the order of Chang et al., "How I Warped Your Noise" (ICLR 2024, arXiv 2504.03072).

White noise W lives on the surfaces as particles. A particle carries W(A) of one area A of the frame in which it was
spawned. Its value never changes, its place does. From a frame to the next:

1. **Advect** (:func:`advect`, :func:`advect_occluded`; eq. 4: a warped area has the noise of the area before the warp).
   A particle moves along the flow of its surface, or by the surface's transform.
2. **Visibility** (:func:`advect`, :func:`occlude`, :func:`occlude_beside`). A particle that the next frame does not
   show dies; if a transform tells where it is, it stays as an occluded one.
3. **Split and merge** (:func:`split`, :func:`split_values`, :func:`pair_halves`; eq. 3: refinement conditional on the
   value).
4. **Spawn** (:func:`disoccluded`, :func:`cover`, :func:`spawn`, :func:`draw_white_noise`). Where the frame shows
   something new, new particles get fresh white noise.
5. **Splat and normalize** (:func:`splat`, :func:`normalize`; eq. 5): n = sum of W(A) / sqrt(sum of |A|) over a pixel.

Every kernel runs for one index ``n``, on CPU threads and on CUDA; :class:`warpnoise.noise.WarpedNoise` calls them.
`kernels.types` describes the records.
"""

from __future__ import annotations

import math

from .kernels.compile import kernel, kernel_with_scratch, scalar
from .kernels.cover import cover_leaves
from .kernels.occluded import is_trackable, push_particle
from .kernels.random import mix_level
from .kernels.rigid import ONE, find, transform_of_pixel
from .kernels.sampling import HALF, depth_test, inside, pixel_at, sample_depth
from .kernels.tree import (
    bits_of,
    child_of,
    half_with,
    leaf_place,
    measure_of,
    node_at,
    parent_of,
    point_of,
    scrambled_point,
    scrambles,
    side_in_parent,
    split_area,
)
from .kernels.types import (
    DEAD,
    LARGE,
    LEAVING,
    OCCLUDED,
    VISIBLE,
    Array,
    Leaves,
    Node,
    Particles,
    Pass,
    Rows,
    Scratch,
    Step,
    Tree,
    f32,
    f64,
    i64,
    u64,
)
from .kernels.visibility import advect_interior, advect_point, pixel_is_interior, pixel_returns
from .kernels.white import descend, half_value, node_normals, store

MAX_PATH = 1 << 30
"""Particles with a path from here on are not split further."""
MERGE_BELOW = f32(0.75)
"""Halves are merged if their whole covers less than this part of the area at which it would split again."""
NEAR = 2
"""Noise pixels along x and y: halves farther apart are not merged."""
BLOCK = 64
"""Particles whose values a thread draws in one go: neighbours share most of their ancestors."""


# 1. Advect; 2. visibility


@kernel
def find_transforms(n: int, p: Pass, transform_of: Array) -> None:
    """The transform of each source pixel of row n; -1: it moves by its flow."""
    for i in range(p.source.shape[1]):
        transform_of[n, i] = transform_of_pixel(p, n, i)


@kernel
def mark_returning(n: int, p: Pass, returns: Array) -> None:
    """Source pixels of row n that the target frame shows."""
    for i in range(p.source.shape[1]):
        returns[n, i] = pixel_returns(p, n, i)


@kernel
def mark_interior(n: int, p: Pass, returns: Array, interior: Array) -> None:
    """Source pixels of row n around which nothing is occluded."""
    for i in range(p.source.shape[1]):
        interior[n, i] = pixel_is_interior(p, returns, n, i)


@kernel
def advect(n: int, s: Step, occupied: Array) -> None:
    """Moves a visible particle: x' = x + flow(x), J' = (1 + d flow / dx) J. ``occupied``, (height * width,) bool, gets
    the pixels that keep particles."""
    particles, p, tree = s.particles, s.motion, s.tree
    if particles.state[n] != VISIBLE:
        return
    x, y = particles.x[n], particles.y[n]
    row, column = pixel_at(p.source, p, x, y)
    if p.interior.size > 0 and p.interior[u64(row), u64(column)]:
        state, x1, y1, m00, m01, m10, m11 = advect_interior(p, row, column, x, y)
    else:
        state, x1, y1, m00, m01, m10, m11 = advect_point(p, x, y)
    if state != VISIBLE:
        particles.state[n] = state
        return
    j = particles.jacobian
    j00, j01, j10, j11 = j[n, 0], j[n, 1], j[n, 2], j[n, 3]
    n00, n01 = m00 * j00 + m01 * j10, m00 * j01 + m01 * j11
    n10, n11 = m10 * j00 + m11 * j10, m10 * j01 + m11 * j11
    j[n, 0], j[n, 1], j[n, 2], j[n, 3] = n00, n01, n10, n11
    particles.x[n], particles.y[n] = x1, y1
    pixel = u64(min(i64(y1), tree.height - 1) * tree.width + min(i64(x1), tree.width - 1))
    if not occupied[pixel]:  # threads that write the same again and again wait for each other
        occupied[pixel] = True
    # A particle that did not grow in this step was split before, if it had to be.
    area = abs(n00 * n11 - n01 * n10) * measure_of(tree, particles, n)
    grew = area > tree.least and (area > tree.least + tree.least or abs(m00 * m11 - m01 * m10) > ONE)
    if grew and area > split_area(tree, node_at(particles, n)):
        particles.state[n] = LARGE


@kernel
def occlude(n: int, s: Step) -> None:
    """Moves a LEAVING particle, entry n of ``occluded``, by the transform of the source pixel in which it was."""
    at, p = s.occluded.row[n], s.motion
    x, y = s.particles.x[at], s.particles.y[at]
    row, column = pixel_at(p.source, p, x, y)
    xs, ys = x * p.sx - HALF, y * p.sy - HALF
    _, d, slope_x, slope_y, _ = sample_depth(p.source_depth, p.source, p.source[row, column], xs, ys)
    transform = p.transform_of[row, column]
    _, front = push_particle(s, at, n, transform, f64(xs), f64(ys), f64(d), f64(slope_x), f64(slope_y))
    s.occluded.behind[n], s.occluded.surface[n] = not front, p.source[row, column]
    s.particles.state[at] = OCCLUDED if is_trackable(s, at, n) else DEAD


@kernel
def occlude_beside(n: int, s: Step, x: Array, y: Array) -> None:
    """Depth of an occluded half, entry n of ``occluded``, on the extrapolation of its surface from the visible half at
    (x, y). It dies if its surface has no transform."""
    at, p, j = s.occluded.row[n], s.motion, s.particles.jacobian
    row, column = pixel_at(p.target, p, x[n], y[n])
    surface = p.target[row, column]
    xs, ys = x[n] * p.sx - HALF, y[n] * p.sy - HALF
    known, d, slope_x, slope_y, _ = sample_depth(p.target_depth, p.target, surface, xs, ys)
    slope_x, slope_y = slope_x * p.sx, slope_y * p.sy
    for part in range(2):
        s.occluded.slope[n, part] = slope_x * j[at, part] + slope_y * j[at, 2 + part]
    s.occluded.depth[n] = d + (slope_x * (s.particles.x[at] - x[n]) + slope_y * (s.particles.y[at] - y[n]))
    s.occluded.behind[n], s.occluded.surface[n] = False, surface
    tracked = known and find(p.surfaces, i64(surface)) >= 0 and is_trackable(s, at, n)
    s.particles.state[at] = OCCLUDED if tracked else DEAD


@kernel
def advect_occluded(n: int, s: Step) -> None:
    """Moves an occluded particle, entry n of ``occluded``. It dies if its surface has no transform in this step, and is
    visible again if the target frame shows its surface at its depth."""
    particles, occluded, p = s.particles, s.occluded, s.motion
    at = occluded.row[n]
    if at < 0:
        return
    occluded.row[n], particles.state[at] = -1, DEAD
    transform = find(p.surfaces, i64(occluded.surface[n]))
    if transform < 0:
        return
    x, y = f64(particles.x[at]) * f64(p.sx) - 0.5, f64(particles.y[at]) * f64(p.sy) - 0.5
    d, front = push_particle(s, at, n, transform, x, y, f64(occluded.depth[n]), math.nan, math.nan)
    # Homogeneous points keep a sign: what passes behind the camera comes back on the right side.
    occluded.behind[n] = occluded.behind[n] != (not front)
    if not is_trackable(s, at, n):
        return
    x1, y1 = particles.x[at], particles.y[at]
    if not occluded.behind[n] and inside(p, x1, y1) and depth_test(p, occluded.surface[n], x1, y1, d):
        particles.state[at] = LARGE  # it may have grown while it was occluded
    else:
        occluded.row[n], particles.state[at] = at, OCCLUDED


# 3. Split and merge


@kernel
def split(n: int, s: Step, rows: Array, place: Array, path: Array, state: Array) -> None:
    """Halves the LARGE particle of row ``rows[n]`` if it covers more than its split area.

    The half that contains the particle's point takes its row. The other half lies where the Jacobian carries its
    point. It is occluded if that shows another surface or is out of the frame.

    Args:
        place: (m, 2) float32, gets the other half's place, noise pixels.
        path: (m,) int32, gets its path.
        state: (m,) int8, gets its state: DEAD: there is none. VISIBLE, LARGE: visible. LEAVING: occluded.
    """
    particles, p, tree = s.particles, s.motion, s.tree
    at = rows[n]
    own, node = i64(particles.path[at]), node_at(particles, at)
    j = particles.jacobian
    j00, j01, j10, j11 = j[at, 0], j[at, 1], j[at, 2], j[at, 3]
    growth = abs(j00 * j11 - j01 * j10)
    particles.state[at], state[n] = VISIBLE, DEAD
    if own >= MAX_PATH or not growth * tree.measures[node.level] > split_area(tree, node):
        return
    u, v = point_of(tree, node)
    side = half_with(tree, node, u, v)
    kept, other = child_of(node, side), child_of(node, 1 - side)
    u1, v1 = point_of(tree, other)
    step_u, step_v = f32(u1 - u), f32(v1 - v)
    x, y = particles.x[at], particles.y[at]
    x1, y1 = x + (j00 * step_u + j01 * step_v), y + (j10 * step_u + j11 * step_v)
    area = growth * tree.measures[kept.level]
    particles.path[at] = 2 * own + side
    if area > split_area(tree, kept):
        particles.state[at] = LARGE
    place[n, 0], place[n, 1], path[n], state[n] = x1, y1, 2 * own + 1 - side, LEAVING
    if inside(p, x1, y1):
        row, column = pixel_at(p.target, p, x, y)
        other_row, other_column = pixel_at(p.target, p, x1, y1)
        if p.target[row, column] == p.target[other_row, other_column]:
            state[n] = LARGE if area > split_area(tree, other) else VISIBLE


@kernel
def split_values(n: int, particles: Particles, tree: Tree, rows: Array, to: Array, map_: int, values: Array) -> None:
    """Eq. 3: the values of two halves from their whole's, which ``values[rows[n]]`` still has. The half of row
    ``rows[n]`` keeps that row; the other one gets row ``to[n]``, if that is not negative."""
    at, other, channels = rows[n], to[n], values.shape[1]
    half = node_at(particles, at)
    whole, side = parent_of(half), side_in_parent(half)
    for group in range((channels + 3) // 4):
        z0, z1, z2, z3 = node_normals(tree, whole, whole.level, group, map_)
        for q in range(4 * group, min(4 * group + 4, channels)):
            part = q & 3
            z = z0 if part == 0 else z1 if part == 1 else z2 if part == 2 else z3
            x = values[at, q]
            values[at, q] = half_value(tree, whole.level, x, z, side)
            if other >= 0:
                values[other, q] = half_value(tree, whole.level, x, z, 1 - side)


@kernel
def find_small(n: int, particles: Particles, tree: Tree, small: Array) -> None:
    """Whether particle n is visible and covers so little that its parent may take its place."""
    small[n] = False
    if particles.state[n] == VISIBLE:
        j = particles.jacobian
        area = 2 * abs(j[n, 0] * j[n, 3] - j[n, 1] * j[n, 2]) * measure_of(tree, particles, n)
        if area < MERGE_BELOW * (tree.least + tree.least):
            node = node_at(particles, n)
            small[n] = node.level > 0 and area < MERGE_BELOW * split_area(tree, parent_of(node))


@kernel
def hash_parents(n: int, particles: Particles, tree: Tree, rows: Array, salt: int, slots: int, slot: Array) -> None:
    """``slot[n]``: the slot of a hash table, of ``slots``, for the parent of row ``rows[n]``."""
    whole = parent_of(node_at(particles, rows[n]))
    slot[n] = i64(bits_of(tree, Node(whole.frame ^ (salt << 20), whole.level, whole.ix, whole.iy))) % slots


@kernel
def pair_halves(n: int, s: Step, rows: Array, slot: Array, first: Array, kept: Array, dropped: Array) -> None:
    """For the second of two halves in a slot of the hash table that can be merged: the row that the whole keeps, and
    the one that it drops; -1 for all others. ``first``, (slots,) int64, has the first row of each slot."""
    particles, p, x, y = s.particles, s.motion, s.particles.x, s.particles.y
    kept[n], dropped[n] = -1, -1
    a, b = first[slot[n]], rows[n]
    if a == b:
        return
    half = node_at(particles, b)
    whole, other = parent_of(half), parent_of(node_at(particles, a))
    if other.frame != whole.frame or other.level != whole.level or other.ix != whole.ix or other.iy != whole.iy:
        return
    row, column = pixel_at(p.target, p, x[a], y[a])
    other_row, other_column = pixel_at(p.target, p, x[b], y[b])
    near = abs(x[a] - x[b]) < NEAR and abs(y[a] - y[b]) < NEAR
    if near and p.target[row, column] == p.target[other_row, other_column]:
        u, v = point_of(s.tree, whole)
        holds = side_in_parent(half) == half_with(s.tree, whole, u, v)
        kept[n], dropped[n] = (b, a) if holds else (a, b)


# 4. Spawn


@kernel
def disoccluded(n: int, p: Pass, tree: Tree, frame: int, masks: Array) -> None:
    """Which leaves of the pixels of row n show what the other frame did not.

    Args:
        p: the backward pass, from the new frame.
        masks: (height * width,) int64: bit b is the leaf of heap code k * k + b.
    """
    h, w = p.source.shape
    shift = (tree.leaf >> 1) - tree.halvings
    same_size = p.interior.size > 0 and h == tree.height and w == tree.width
    level_bits = mix_level(tree.seed, frame, tree.leaf)
    for column in range(tree.width):
        mask = i64(0)
        # A leaf's point may round into the pixel to the right or below.
        right, below = min(column + 1, w - 1), min(n + 1, h - 1)
        known = same_size and p.interior[n, column] and p.interior[n, right]
        if not (known and p.interior[below, column] and p.interior[below, right]):
            columns, rows = scrambles(tree, frame, column, n)
            for leaf in range(1 << (2 * shift)):
                i, j = leaf_place(leaf, shift)
                u, v = scrambled_point(tree, level_bits, columns, rows, (column << shift) + i, (n << shift) + j)
                x, y = f32(u), f32(v)
                at_row, at_column = pixel_at(p.source, p, x, y)
                interior = p.interior.size > 0 and p.interior[at_row, at_column]
                if not interior and advect_point(p, x, y)[0] != VISIBLE:
                    mask |= i64(1) << leaf
        masks[n * tree.width + column] = mask


@kernel
def place_leaves(n: int, tree: Tree, frame: int, leaves: Leaves) -> None:
    """The points of the leaves of pixel ``pixels[n]``."""
    shift = (tree.leaf >> 1) - tree.halvings
    column, row = leaves.pixels[n] % tree.width, leaves.pixels[n] // tree.width
    columns, rows = scrambles(tree, frame, column, row)
    level_bits = mix_level(tree.seed, frame, tree.leaf)
    leaves.slots[leaves.pixels[n]] = n
    for leaf in range(1 << (2 * shift)):
        i, j = leaf_place(leaf, shift)
        x, y = math.nan, math.nan
        if (leaves.masks[n] >> leaf) & 1:
            x, y = scrambled_point(tree, level_bits, columns, rows, (column << shift) + i, (row << shift) + j)
        leaves.points[n, j, i, 0], leaves.points[n, j, i, 1], leaves.covered[n, j, i] = f32(x), f32(y), False


@kernel
def cover(n: int, s: Step, leaves: Leaves, near: Array) -> None:
    """Marks leaves that a known particle covers: row n of the table if it is visible, then the entries of
    ``occluded``. Threads may mark a leaf twice."""
    entry = n - s.particles.x.shape[0]
    if entry < 0:
        if s.particles.state[n] == VISIBLE:
            cover_leaves(s, n, -1, leaves, near)
    elif s.occluded.row[entry] >= 0:
        cover_leaves(s, s.occluded.row[entry], entry, leaves, near)


@kernel
def uncover(n: int, tree: Tree, leaves: Leaves, masks: Array) -> None:
    """Takes the covered leaves of pixel ``pixels[n]`` out of its mask."""
    shift = (tree.leaf >> 1) - tree.halvings
    for leaf in range(1 << (2 * shift)):
        i, j = leaf_place(leaf, shift)
        if leaves.covered[n, j, i]:
            masks[leaves.pixels[n]] &= ~(i64(1) << leaf)


@scalar
def row_of(new: Rows, n: int) -> int:
    """The row of new particle n."""
    holes = new.holes.shape[0]
    return i64(new.holes[n]) if n < holes else new.end + n - holes


@kernel
def spawn(
    n: int, particles: Particles, tree: Tree, frame: int, pixels: Array, masks: Array, first: Array, new: Rows
) -> None:
    """Puts the leaves of pixel ``pixels[n]`` into the table, as new particles from ``first[n]`` on. The pixel becomes a
    root, among the last of ``roots``."""
    shift = (tree.leaf >> 1) - tree.halvings
    column, row = pixels[n] % tree.width, pixels[n] // tree.width
    root = particles.roots.shape[0] - pixels.shape[0] + n
    particles.roots[root, 0], particles.roots[root, 1] = frame, 2 * tree.halvings
    particles.roots[root, 2], particles.roots[root, 3] = column, row
    columns, rows = scrambles(tree, frame, column, row)
    level_bits = mix_level(tree.seed, frame, tree.leaf)
    place, jacobian = first[n], particles.jacobian
    for leaf in range(1 << (2 * shift)):
        if (masks[n] >> leaf) & 1:
            i, j = leaf_place(leaf, shift)
            x, y = scrambled_point(tree, level_bits, columns, rows, (column << shift) + i, (row << shift) + j)
            at = row_of(new, place)
            particles.x[at], particles.y[at], particles.state[at] = f32(x), f32(y), VISIBLE
            jacobian[at, 0], jacobian[at, 1], jacobian[at, 2], jacobian[at, 3] = 1.0, 0.0, 0.0, 1.0
            particles.root[at], particles.path[at] = root, (1 << (2 * shift)) + leaf
            place += 1


@kernel_with_scratch
def draw_white_noise(
    n: int,
    scratch: Scratch,
    particles: Particles,
    tree: Tree,
    new: Rows,
    count: int,
    first: int,
    map_: int,
    values: Array,
) -> None:
    """Draws W(A) of new particles: block and group of four channels n, from the base grid of the tree down.

    Args:
        count: of new particles.
        first: the row of ``values`` for new particle 0; -1: each has its row of the table.
        values: (rows, channels) float32.
    """
    groups = (values.shape[1] + 3) // 4
    block, group = n // groups, n % groups
    last, drawn = Node(-1, -1, 0, 0), 0
    for item in range(block * BLOCK, min((block + 1) * BLOCK, count)):
        at = row_of(new, item)
        if particles.state[at] != DEAD:
            node = node_at(particles, at)
            drawn = descend(tree, scratch, node, last, drawn, group, map_)
            store(values, at if first < 0 else first + item, group, scratch, node.level)
            last = node


# 5. Splat and normalize


@scalar
def pixel_of(particles: Particles, tree: Tree, n: int) -> int:
    """The noise pixel that contains visible particle n, row-major."""
    column = min(max(i64(particles.x[n]), 0), tree.width - 1)
    return min(max(i64(particles.y[n]), 0), tree.height - 1) * tree.width + column


@kernel
def splat(
    n: int, bands: int, first: int, particles: Particles, tree: Tree, values: Array, w: Array, area: Array
) -> None:
    """Adds W and |A| of the visible particles in band n, of ``bands``, to their pixels: exact sums, in any order.

    Args:
        first: the particle of row 0 of ``values``, (m, channels) float32.
        w: (pixels, channels) float64, the sums of W(A).
        area: (pixels,) float64, the sums of |A|.
    """
    first_row, end_row = tree.height * n // bands, tree.height * (n + 1) // bands
    for item in range(values.shape[0]):
        at = first + item
        if particles.state[at] == VISIBLE and first_row <= i64(particles.y[at]) < end_row:
            pixel = pixel_of(particles, tree, at)
            area[pixel] += measure_of(tree, particles, at)
            for q in range(values.shape[1]):
                w[pixel, q] += values[item, q]


@kernel
def normalize(n: int, w: Array, area: Array, noise: Array) -> None:
    """Eq. 5, the noise of pixel n: n = W(A) / sqrt(|A|). ``noise`` is (channels, pixels) float32."""
    root = math.sqrt(area[n])
    for q in range(noise.shape[0]):
        noise[q, n] = f32(w[n, q] / root)
