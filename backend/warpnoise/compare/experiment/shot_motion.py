"""The true motion of a job over all lags, against which every sequence is measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import tee
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from warpnoise.compare.metrics.correspondence import Correspondence, correspondences
from warpnoise.errors import JobError
from warpnoise.hashing import digest_text
from warpnoise.media.picture_digest import picture_digest
from warpnoise.motion import motions

if TYPE_CHECKING:
    from warpnoise.job import Shot
    from warpnoise.noise import Motion

_KEPT_BYTES = 1 << 30
"""Correspondences up to so much are kept in memory, larger ones are made again for each sequence."""

_STILL_PX = 0.05

Frame = tuple[int, dict[int, Correspondence]]


class ShotMotion:
    """The frames of a job, each with its correspondences. Iterating reads the passes, at least the first time."""

    def __init__(self, job: Shot, lags: Sequence[int], warn: Callable[[str], None]) -> None:
        """Reads all passes once.

        Raises:
            JobError: one frame only, nothing that moves, or nothing that is seen in two frames.
            MediaError: passes that cannot be read.
        """
        if len(job.frames) < 2:
            raise JobError(
                f"{job.path} has only one frame. Methods are compared on an animation: export at least two "
                f"frames, preferably {max(lags) + 8}."
            )
        self.job = job
        self.lags = tuple(lag for lag in sorted(set(lags)) if lag < len(job.frames)) or (1,)
        self._warn = warn
        self._cached: list[Frame] | None = None
        self.digest = digest_text(
            *(info.model_dump_json() + picture_digest(job.passes(info.frame)) for info in job.info.frames)
        )
        self.speed_px, self.row = self._look_through()

    def __iter__(self) -> Iterator[Frame]:
        return iter(self._cached) if self._cached is not None else self._read()

    def motions(self) -> Iterator[tuple[int, Motion | None]]:
        """For each frame its number and its motion from the frame before."""
        return motions(self.job, warn=self._warn)

    def _read(self) -> Iterator[Frame]:
        found = correspondences((motion for _, motion in self.motions()), self.lags)
        yield from zip(self.job.frames, found, strict=True)

    def _look_through(self) -> tuple[float, int]:
        """The median speed of what is visible, in pixels a frame, and the row in which objects move sideways most."""
        scene = self.job.scene
        size = len(self.job.frames) * len(self.lags) * scene.width * scene.height * 9
        cached: list[Frame] | None = [] if size <= _KEPT_BYTES else None
        speeds, fastest, sideways = [], 0.0, np.zeros(scene.height)
        y, x = np.mgrid[0 : scene.height, 0 : scene.width].astype(np.float32)
        here = np.stack([x, y], axis=-1)
        shown, steps = tee(motion for _, motion in self.motions())
        for number, motion, found in zip(self.job.frames, shown, correspondences(steps, self.lags), strict=True):
            if cached is not None:
                cached.append((number, found))
            step = found.get(self.lags[0])
            if step is not None and step.visible.any():
                moved = (step.position - here) / step.lag
                speed = np.hypot(*moved[step.visible].T)
                speeds.append(float(np.median(speed)))
                fastest = max(fastest, float(speed.max()))
                sideways += (np.nan_to_num(np.abs(moved[..., 0])) * _weights(motion)).mean(axis=1)
        if not speeds:
            raise JobError(
                f"{self.job.path}: no surface is visible in two successive frames, so there is nothing to compare. "
                "Export the animation again, with its Vector pass and without cuts."
            )
        if fastest < _STILL_PX:
            raise JobError(
                f"{self.job.path}: nothing moves ({fastest:.3f} pixels a frame at most), so all methods that keep "
                "their noise look the same. Compare on a shot with a moving camera or moving objects."
            )
        self._cached = cached
        border = scene.height // 8
        return float(np.median(speeds)), border + int(sideways[border : scene.height - border].argmax())


def _weights(motion: Motion | None) -> npt.NDArray[np.float32]:
    """1 on objects, and almost 0 on the background, whose motion is not visible."""
    if motion is None or motion.surface_new is None:
        return np.ones((), np.float32)
    return np.where(motion.surface_new.numpy(force=True) == 0, np.float32(0.01), np.float32(1))
