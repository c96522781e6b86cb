"""Finds where the surface of a pixel was some frames earlier: the true motion, composed over many frames.

A step back follows ``Motion.backward``. It is valid only if ``Motion.forward`` leads back to the starting point and all
pixels that are read show the same surface. So a correspondence over a lag of 16 was visible in every frame in between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from warpnoise.coherence.locate import step_back

if TYPE_CHECKING:
    from warpnoise.noise import Motion


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
        step_back(position, start, step.backward, step.forward, step.surface_new, step.surface_old)
        yield lag, position
