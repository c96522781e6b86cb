"""Where what a pixel shows was some frames ago: the true motion, composed over many frames.

A step back follows ``Motion.backward``. It holds only if ``Motion.forward`` leads back to where it came from and all
pixels that are read show the surface that was started from, so that a correspondence over a lag of 16 is one that was
visible in every frame in between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numba
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from warpnoise.noise import Motion

TOLERANCE_PX = 0.25
"""How far forward and backward motion may miss each other. The motions are exact, what is read between pixels is not:
the second derivative of a rigid motion over one pixel stays well below this, a hidden surface far above."""


@dataclass(frozen=True)
class Correspondence:
    """What each pixel of a frame shows, ``lag`` frames before.

    ``position``: (h, w, 2) float32, x and y in pixels of the old frame; NaN where it was not visible all along.
    ``visible``: (h, w) bool, where it was.
    """

    lag: int
    position: npt.NDArray[np.float32]
    visible: npt.NDArray[np.bool_]

    def only(self, where: npt.NDArray[np.bool_]) -> Correspondence:
        """The same, only visible ``where`` (h, w) is true."""
        return Correspondence(self.lag, self.position, self.visible & where)


def correspondences(motions: Iterator[Motion | None], lags: Sequence[int]) -> Iterator[dict[int, Correspondence]]:
    """For each frame in order, its correspondences with the frames ``lags`` before it that there are.

    Args:
        motions: for each frame its motion from the frame before; None: nothing of it is seen again.
        lags: in frames, above 0.
    """
    steps: deque[_Step] = deque(maxlen=max(lags))  # the newest first
    for motion in motions:
        found = {}
        if motion is None:
            steps.clear()
        else:
            steps.appendleft(_Step.of(motion))
            for lag, position in _follow(steps):
                if lag in lags:
                    found[lag] = Correspondence(lag, position, ~np.isnan(position[..., 0]))
        yield found


@dataclass(frozen=True)
class _Step:
    """One motion as the kernel reads it: arrays of numpy, a surface in every pixel."""

    forward: npt.NDArray[np.float32]
    backward: npt.NDArray[np.float32]
    surface_old: npt.NDArray[np.int32]
    surface_new: npt.NDArray[np.int32]

    @classmethod
    def of(cls, motion: Motion) -> _Step:
        surfaces = [
            np.zeros(motion.size, np.int32) if surface is None else surface.numpy(force=True)
            for surface in (motion.surface_old, motion.surface_new)
        ]
        return cls(motion.forward.numpy(force=True), motion.backward.numpy(force=True), *surfaces)


def _follow(steps: Sequence[_Step]) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    height, width = steps[0].backward.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    position = np.stack([x, y], axis=-1)
    start = steps[0].surface_new
    for lag, step in enumerate(steps, start=1):
        position = position.copy()
        _step_back(
            position, start, step.backward, step.forward, step.surface_new, step.surface_old, np.float32(TOLERANCE_PX)
        )
        yield lag, position


@numba.njit(cache=True, parallel=True)
def _step_back(position, start, backward, forward, surface_new, surface_old, tolerance):  # type: ignore[no-untyped-def]
    """Moves every position one frame back in place; NaN where that cannot be trusted."""
    height, width = start.shape
    for y in numba.prange(height):
        for x in range(width):
            px, py = position[y, x, 0], position[y, x, 1]
            if np.isnan(px):
                continue
            surface = start[y, x]
            bx, by = _read(backward, surface_new, surface, px, py)
            qx, qy = px + bx, py + by
            fx, fy = _read(forward, surface_old, surface, qx, qy)
            if abs(bx + fx) <= tolerance and abs(by + fy) <= tolerance:  # false for NaN
                position[y, x, 0], position[y, x, 1] = qx, qy
            else:
                position[y, x, 0] = position[y, x, 1] = np.nan


@numba.njit(cache=True)
def _read(field, surfaces, surface, x, y):  # type: ignore[no-untyped-def]
    """The motion at a place, bilinear; NaN outside of the frame, and where a pixel shows another surface."""
    height, width = surfaces.shape
    nan = np.float32(np.nan)
    if not (0 <= x <= width - 1 and 0 <= y <= height - 1):
        return nan, nan
    left, top = min(int(x), max(width - 2, 0)), min(int(y), max(height - 2, 0))
    s, t = x - np.float32(left), y - np.float32(top)
    vx, vy = np.float32(0), np.float32(0)
    for dy in range(2):
        for dx in range(2):
            weight = (s if dx else 1 - s) * (t if dy else 1 - t)
            if weight == 0:
                continue
            if surfaces[top + dy, left + dx] != surface:
                return nan, nan
            vx += weight * field[top + dy, left + dx, 0]
            vy += weight * field[top + dy, left + dx, 1]
    return vx, vy
