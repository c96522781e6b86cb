"""Kernels that locate a frame's surface points in another frame.

Transforms locate rigid surfaces directly, and a depth test in the other frame decides whether they are visible, so they
are found again after an occlusion. Other surfaces are advected from frame to frame along the flow, until occluded.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]

TOLERANCE_PX = 0.25
"""How far forward and backward flow may disagree. Motions are exact, bilinear reads of them are not; occluded surfaces
disagree by far more."""
_DEPTH_SLACK = 1e-3
"""Relative to the depth: on curved surfaces, depth between four pixels is not quite bilinear."""


@numba.njit(cache=True, parallel=True, nogil=True)
def locate(surface, depth, surfaces, matrices, key_surface, key_depth, followed, position):  # type: ignore[no-untyped-def]
    """Positions of every pixel's surface point in the key frame, NaN where it is not visible there.

    Args:
        surface, depth: (h, w) of this frame; depth is projective.
        surfaces: (n,) int32, sorted: those with a transform. matrices: (n, 4, 4) float64, from this frame to the key.
        key_surface, key_depth: (h, w) of the key frame.
        followed: (h, w, 2) float32, positions for all other surfaces.
        position: (h, w, 2) float32, the result.
    """
    height, width = surface.shape
    for y in numba.prange(height):
        for x in range(width):
            number = surface[y, x]
            u, v = followed[y, x, 0], followed[y, x, 1]
            at = np.searchsorted(surfaces, number)
            if at < len(surfaces) and surfaces[at] == number:
                m = matrices[at]
                d = np.float64(depth[y, x])
                factor = m[3, 0] * x + m[3, 1] * y + m[3, 2] * d + m[3, 3]
                u = v = np.float32(np.nan)
                if factor > 0:
                    u = np.float32((m[0, 0] * x + m[0, 1] * y + m[0, 2] * d + m[0, 3]) / factor)
                    v = np.float32((m[1, 0] * x + m[1, 1] * y + m[1, 2] * d + m[1, 3]) / factor)
                    there = (m[2, 0] * x + m[2, 1] * y + m[2, 2] * d + m[2, 3]) / factor
                    if not _shown(key_surface, key_depth, number, u, v, there):
                        u = v = np.float32(np.nan)
            position[y, x, 0], position[y, x, 1] = u, v


@numba.njit(cache=True, nogil=True)
def _shown(surfaces, depths, number, u, v, depth):  # type: ignore[no-untyped-def]
    """Whether all pixels around (u, v) show the surface at about this depth."""
    height, width = surfaces.shape
    if not (0 <= u <= width - 1 and 0 <= v <= height - 1):
        return False
    left, top = min(int(u), max(width - 2, 0)), min(int(v), max(height - 2, 0))
    s, t = u - left, v - top
    mean, least, most = 0.0, np.inf, -np.inf
    for row in range(2):
        for column in range(2):
            weight = (s if column else 1 - s) * (t if row else 1 - t)
            if weight == 0:
                continue
            if surfaces[top + row, left + column] != number:
                return False
            d = np.float64(depths[top + row, left + column])
            mean += weight * d
            least, most = min(least, d), max(most, d)
    return abs(depth - mean) <= (most - least) + _DEPTH_SLACK * abs(mean) + 1e-9


@numba.njit(cache=True, parallel=True, nogil=True)
def follow(followed, surface_new, backward, surface_old, forward, result):  # type: ignore[no-untyped-def]
    """One frame further: pixels of the new frame inherit the positions of their points in the old frame.

    Args:
        followed: (h, w, 2) float32, positions for the old frame's pixels; NaN: lost.
        result: (h, w, 2) float32, written: the same for the new frame's pixels.
    """
    height, width = surface_new.shape
    tolerance = np.float32(TOLERANCE_PX)
    for y in numba.prange(height):
        for x in range(width):
            number = surface_new[y, x]
            bx, by = backward[y, x, 0], backward[y, x, 1]
            result[y, x, 0] = result[y, x, 1] = np.float32(np.nan)
            if np.isnan(bx) or np.isnan(by):
                continue
            px, py = x + bx, y + by
            fx, fy = _bilinear(forward, surface_old, number, px, py)
            if abs(bx + fx) <= tolerance and abs(by + fy) <= tolerance:  # false for NaN
                result[y, x, 0], result[y, x, 1] = _bilinear(followed, surface_old, number, px, py)


@numba.njit(cache=True, parallel=True, nogil=True)
def step_back(position, start, backward, forward, surface_new, surface_old):  # type: ignore[no-untyped-def]
    """Moves positions one frame back in place; NaN where forward and backward flow disagree.

    Args:
        position: (h, w, 2) float32, of surface points in the new frame.
        start: (h, w) int32, the surfaces of these points.
    """
    height, width = start.shape
    tolerance = np.float32(TOLERANCE_PX)
    for y in numba.prange(height):
        for x in range(width):
            px, py = position[y, x, 0], position[y, x, 1]
            if np.isnan(px):
                continue
            surface = start[y, x]
            bx, by = _bilinear(backward, surface_new, surface, px, py)
            qx, qy = px + bx, py + by
            fx, fy = _bilinear(forward, surface_old, surface, qx, qy)
            if abs(bx + fx) <= tolerance and abs(by + fy) <= tolerance:  # false for NaN
                position[y, x, 0], position[y, x, 1] = qx, qy
            else:
                position[y, x, 0] = position[y, x, 1] = np.nan


@numba.njit(cache=True, nogil=True)
def _bilinear(field, surfaces, surface, x, y):  # type: ignore[no-untyped-def]
    """A field at (x, y), bilinear; NaN outside of the frame, and where a pixel shows another surface."""
    height, width = surfaces.shape
    nan = np.float32(np.nan)
    if not (0 <= x <= width - 1 and 0 <= y <= height - 1):
        return nan, nan
    left, top = min(int(x), max(width - 2, 0)), min(int(y), max(height - 2, 0))
    s, t = np.float32(x - left), np.float32(y - top)
    vx, vy = np.float32(0), np.float32(0)
    for row in range(2):
        for column in range(2):
            weight = (s if column else 1 - s) * (t if row else 1 - t)
            if weight == 0:
                continue
            if surfaces[top + row, left + column] != surface:
                return nan, nan
            vx += weight * field[top + row, left + column, 0]
            vy += weight * field[top + row, left + column, 1]
    return vx, vy
