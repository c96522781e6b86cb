"""Rigid surfaces: computes their motion from the matrices of camera and objects, and tests whether the flow agrees.

This is the only place that decides whether a surface is rigid. The noise trusts the transforms that it gets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cv2
import numba
import numpy as np
import numpy.typing as npt

from warpnoise.motion.cameras import Matrix, world_to_pixels
from warpnoise.motion.frames import BACKGROUND, Flow, Frame

TOLERANCE_PX = 0.01
TOLERANCE_RELATIVE = 0.001
"""Flow and prediction agree if they differ by less than this many pixels plus this part of the motion. In Cycles'
scenes they differ by 1e-4 pixels; far from the origin its 32 bits are coarser."""
STRAY_PART = 0.01
"""This fraction of a surface's pixels, and up to two more, may disagree: transparency, or a distant instance."""


@dataclass(frozen=True)
class RigidTransforms:
    """Rigid motions from one frame to another, as (4, 4) matrices in pixel space."""

    surfaces: dict[int, Matrix]
    """{surface number: matrix}, including the background."""
    still: Matrix
    """The matrix of objects at rest in the world."""

    def inverse(self) -> RigidTransforms:
        """The reverse motions."""
        return RigidTransforms({number: _inverse(m) for number, m in self.surfaces.items()}, _inverse(self.still))


def _inverse(matrix: Matrix) -> Matrix:
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def rigid_transforms(old: Frame, new: Frame) -> RigidTransforms:
    """The motion of each surface whose object's matrix is known in both frames, whose cameras must be known.

    The background is at infinity. In an orthographic camera, which shows a single direction, it does not move.
    """
    if old.camera is None or new.camera is None:
        raise ValueError("expected frames with cameras")
    height, width = new.surface.shape
    from_pixels = np.linalg.inv(world_to_pixels(old.camera, width, height))
    to_pixels = world_to_pixels(new.camera, width, height)
    still = to_pixels @ from_pixels
    found = {BACKGROUND: np.eye(4) if new.camera.type == "ORTHO" else still}
    for name, before in old.objects.items():
        surface = new.manifest.get(name, old.manifest.get(name))
        after = new.objects.get(name)
        if surface is None or after is None:
            continue
        if before is after or np.array_equal(before, after):
            found[surface] = still
            continue
        try:
            moved = to_pixels @ after @ np.linalg.inv(before) @ from_pixels
        except np.linalg.LinAlgError:  # scaled to nothing
            continue
        if np.isfinite(np.linalg.cond(moved)):
            found[surface] = moved
    return RigidTransforms(found, still)


@dataclass(frozen=True)
class Prediction:
    """The motion that matrices predict for the pixels of a frame."""

    surfaces: npt.NDArray[np.int32]
    """(n,) sorted: the surfaces that have a matrix."""
    matrices: npt.NDArray[np.float64]
    """(n, 4, 4), in pixel space."""
    still: Matrix
    """(4, 4): the matrix of what stands still in the world."""
    depth: npt.NDArray[np.float32]
    """(h, w): the projective depth from which the motion was predicted."""
    index: npt.NDArray[np.int32]
    """(h, w): the index of the matrix by which a pixel moves; -1: unknown."""
    flow: Flow
    """(h, w, 2), pixels; NaN where there is no matrix, or where the point moves behind the camera."""


def predict(surface: npt.NDArray[np.int32], depth: npt.NDArray[np.float32], transforms: RigidTransforms) -> Prediction:
    """The motion by ``transforms`` of pixels with (h, w) surfaces and projective depths."""
    surfaces = np.array(sorted(transforms.surfaces), dtype=np.int32)
    matrices = np.array([transforms.surfaces[int(number)] for number in surfaces], dtype=np.float64).reshape(-1, 4, 4)
    index = np.empty(surface.shape, dtype=np.int32)
    flow = np.empty((*surface.shape, 2), dtype=np.float32)
    _predict(surface, depth, surfaces, matrices, index, flow)
    return Prediction(surfaces, matrices, transforms.still, depth, index, flow)


@numba.njit(nogil=True, cache=True)
def _predict(
    surface: npt.NDArray[np.int32],
    depth: npt.NDArray[np.float32],
    surfaces: npt.NDArray[np.int32],
    matrices: npt.NDArray[np.float64],
    index: npt.NDArray[np.int32],
    flow: npt.NDArray[np.float32],
) -> None:
    height, width = surface.shape
    last, at = np.int32(0), -2
    for y in range(height):
        for x in range(width):
            if surface[y, x] != last or at == -2:  # neighbors mostly show the same
                last = surface[y, x]
                at = int(np.searchsorted(surfaces, last))
                if at == len(surfaces) or surfaces[at] != last:
                    at = -1
            index[y, x] = at
            flow[y, x, 0] = np.nan
            flow[y, x, 1] = np.nan
            if at >= 0:
                m = matrices[at]
                d = np.float64(depth[y, x])
                factor = m[3, 0] * x + m[3, 1] * y + m[3, 2] * d + m[3, 3]
                if factor > 0:
                    flow[y, x, 0] = (m[0, 0] * x + m[0, 1] * y + m[0, 2] * d + m[0, 3]) / factor - x
                    flow[y, x, 1] = (m[1, 0] * x + m[1, 1] * y + m[1, 2] * d + m[1, 3]) / factor - y


def agrees(flow: npt.NDArray[np.floating[Any]], predicted: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.bool_]:
    """Where two flows (..., 2) are equal up to rounding. NaN agrees with nothing."""
    with np.errstate(invalid="ignore"):
        difference = np.hypot(flow[..., 0] - predicted[..., 0], flow[..., 1] - predicted[..., 1])
        length = np.hypot(predicted[..., 0], predicted[..., 1])
        return np.asarray(difference <= TOLERANCE_PX + TOLERANCE_RELATIVE * length)


def _is_among(flow: Flow, predicted: Flow) -> npt.NDArray[np.bool_]:
    """Where each component lies within the range of the predictions of the 3 x 3 pixels around. Beside a pixel without
    a prediction, every vector does."""
    around = np.ones((3, 3), np.uint8)
    unknown = np.isnan(predicted)
    least = cv2.erode(np.where(unknown, np.float32(-np.inf), predicted), around)
    most = cv2.dilate(np.where(unknown, np.float32(np.inf), predicted), around)
    room = np.float32(TOLERANCE_PX)
    return np.asarray(((flow >= least - room) & (flow <= most + room)).all(axis=-1))


@dataclass
class Rigidity:
    """Decides which surfaces move by their objects' matrices: deforming objects and instances do not.

    A surface whose flow disagreed once is not rigid until it agrees again.

    ``averaged``: vectors are means over a pixel's samples. At silhouettes, they mix the motions of two surfaces, so
    they may lie anywhere in the range of the predictions of the pixel and its neighbors.
    """

    averaged: bool = False
    _deforming: set[int] = field(default_factory=set)

    def confirm(self, *seen: tuple[Flow, Prediction]) -> set[int]:
        """The surfaces that are rigid according to all pairs of flow and prediction."""
        known: dict[int, int] = {}
        wrong: dict[int, int] = {}
        for flow, prediction in seen:
            counted = (prediction.index >= 0) & ~np.isnan(flow[..., 0]) & ~np.isnan(prediction.flow[..., 0])
            index = prediction.index[counted]
            bad = ~agrees(flow[counted], prediction.flow[counted])
            if self.averaged:
                bad &= ~_is_among(flow, prediction.flow)[counted]
            numbers = prediction.surfaces.tolist()
            for number, total, stray in zip(
                numbers,
                np.bincount(index, minlength=len(numbers)).tolist(),
                np.bincount(index[bad], minlength=len(numbers)).tolist(),
                strict=True,
            ):
                known[number] = known.get(number, 0) + total
                wrong[number] = wrong.get(number, 0) + stray
        for number, total in known.items():
            if wrong[number] > min(2, total / 4) + STRAY_PART * total:
                self._deforming.add(number)
            elif total:
                self._deforming.discard(number)
        return set(known) - self._deforming
