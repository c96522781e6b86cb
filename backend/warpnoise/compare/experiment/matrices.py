"""Covariance matrices of a few pixels, to look at: that of a method beside the exact one.

They are estimated from many channels of noise on a small grid, because channels are independent samples. The pixels
are a square patch of the last frame, and what this patch covered some frames earlier.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from warpnoise.compare.experiment.measure import remembered
from warpnoise.compare.experiment.shot_motion import ShotMotion
from warpnoise.compare.metrics.correspondence import Correspondence, correspondences
from warpnoise.compare.metrics.covariance import exact_covariance
from warpnoise.errors import stop_if
from warpnoise.hashing import digest_text
from warpnoise.noise import ALGORITHM_VERSION, Motion, make_noise

MATRICES_VERSION = 1
PATCH_PX = 6
LAG = 8
CHANNELS = 256
"""Standard error of a covariance: 1 / sqrt(256) = 0.06."""
LONGER_SIDE_PX = 32

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Patch:
    """A patch of the last frame on the small grid. ``here``, ``there``: (n, 2), x and y of the pixels in the last
    frame and ``lag`` frames before; ``exact``: (n, n), the covariance that exact noise has between the two."""

    lag: int
    size: tuple[int, int]
    here: npt.NDArray[np.intp]
    there: npt.NDArray[np.intp]
    exact: Matrix


@dataclass(frozen=True)
class Matrices:
    """``own``: the patch with itself; the exact one is the identity. ``across``: the patch with what it covered."""

    own: list[list[float]]
    across: list[list[float]]


def find_patch(shot: ShotMotion) -> Patch | None:
    """The patch nearest to the middle that was visible all along, over up to ``LAG`` frames; None: there is none."""
    size = _small(shot)
    for lag in sorted({min(LAG, len(shot.job.frames) - 1), *shot.lags, 1}, reverse=True):
        if lag > LAG:
            continue
        *_, found = correspondences(_reduced(shot, size), (lag,))
        if lag in found and (corner := _corner(found[lag])) is not None:
            return _patch(found[lag], corner, size)
    return None


def estimate(
    shot: ShotMotion, patch: Patch, method: str, seed: int, cache: Path, cancelled: Callable[[], bool] | None = None
) -> Matrices:
    """A method's covariance matrices; ``cache``: a JSON file, see `remembered`."""
    digest = digest_text(
        f"matrices {ALGORITHM_VERSION} {MATRICES_VERSION}", shot.digest, f"{method} {seed} {patch.lag}"
    )

    def make() -> Matrices:
        height, width = patch.size
        noise = make_noise(method, (CHANNELS, height, width), seed)
        first_needed = len(shot.job.frames) - 1 - patch.lag
        before = after = noise.frame()
        for index, (_, motion) in enumerate(shot.motions()):
            stop_if(cancelled, "cancelled while covariances were estimated: what was finished stays")
            after = noise.frame() if motion is None else noise.advance(motion)
            if index == first_needed:
                before = after.clone()
        a, b = _values(after, patch.here), _values(before, patch.there)
        return Matrices((a @ a.T / CHANNELS).round(3).tolist(), (a @ b.T / CHANNELS).round(3).tolist())

    return remembered(cache, digest, Matrices, make)


def _values(noise: torch.Tensor, pixels: npt.NDArray[np.intp]) -> Matrix:
    return noise.numpy(force=True)[:, pixels[:, 1], pixels[:, 0]].T.astype(np.float64)


def _small(shot: ShotMotion) -> tuple[int, int]:
    height, width = shot.job.scene.height, shot.job.scene.width
    scale = min(1.0, LONGER_SIDE_PX / max(height, width))
    return max(round(height * scale), 1), max(round(width * scale), 1)


def _reduced(shot: ShotMotion, size: tuple[int, int]) -> Iterator[Motion | None]:
    for _, motion in shot.motions():
        yield None if motion is None else _resized(motion, size)


def _resized(motion: Motion, size: tuple[int, int]) -> Motion:
    """The motion on a small grid: each pixel has the vector at its centre, in pixels of the grid."""
    (h, w), (height, width) = motion.size, size
    rows = ((torch.arange(height) + 0.5) * (h / height)).long().clamp(max=h - 1)[:, None]
    columns = ((torch.arange(width) + 0.5) * (w / width)).long().clamp(max=w - 1)[None, :]
    scale = torch.tensor([width / w, height / h])

    def at(field: torch.Tensor | None) -> torch.Tensor | None:
        return None if field is None else field.cpu()[rows, columns]

    return Motion(
        motion.forward.cpu()[rows, columns] * scale,
        motion.backward.cpu()[rows, columns] * scale,
        surface_old=at(motion.surface_old),
        surface_new=at(motion.surface_new),
    )


def _corner(correspondence: Correspondence) -> tuple[int, int] | None:
    """Left and top of the patch nearest to the middle that is visible with a pixel around it."""
    height, width = correspondence.visible.shape
    side = PATCH_PX + 2
    if height < side or width < side:
        return None
    windows = np.lib.stride_tricks.sliding_window_view(correspondence.visible, (side, side)).all(axis=(2, 3))
    tops, lefts = np.nonzero(windows)
    if not len(tops):
        return None
    nearest = int(np.argmin(np.hypot(tops + side / 2 - height / 2, lefts + side / 2 - width / 2)))
    return int(lefts[nearest]) + 1, int(tops[nearest]) + 1


def _patch(correspondence: Correspondence, corner: tuple[int, int], size: tuple[int, int]) -> Patch:
    height, width = size
    offsets = np.array([(x, y) for y in range(PATCH_PX) for x in range(PATCH_PX)], dtype=np.intp)
    here = offsets + np.array(corner, dtype=np.intp)
    middle = correspondence.position[here[:, 1], here[:, 0]].mean(axis=0)
    start = np.floor(middle - (PATCH_PX - 1) / 2 + 0.5).astype(np.intp)
    there = offsets + np.clip(start, 0, np.array([width - PATCH_PX, height - PATCH_PX], dtype=np.intp))
    return Patch(correspondence.lag, size, here, there, exact_covariance(correspondence, here, there))
