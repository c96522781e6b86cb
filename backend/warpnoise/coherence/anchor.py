"""Anchors: frames whose stylized pictures are carried to others, and the positions of the others' pixels in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from warpnoise.coherence.locate import Float, Ints, follow, locate
from warpnoise.noise import Motion

SILHOUETTE_PX = 3
"""Contours this near to a silhouette belong to the view, not to a surface."""
_SHARP = (0.4, 0.75, 1.5, 3.0)
"""Pixels of the anchor per pixel, along a side. Outside of the outer two, its picture is too coarse or too fine."""
_FAIR = 0.5
"""Sharpness from which an anchor covers a pixel, so that it needs no new key frame."""


Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Surfaces:
    """A frame's surfaces. ``surface``: (h, w) int32; ``depth``: (h, w) float32, projective, larger is nearer."""

    surface: Ints
    depth: Float

    @property
    def size(self) -> tuple[int, int]:
        return self.surface.shape[0], self.surface.shape[1]


@dataclass(frozen=True)
class Seen:
    """Positions of a frame's surface points in the anchor numbered ``anchor``.

    ``position``: (h, w, 2) float32, x and y in pixels of the anchor; NaN where the point is not visible there.
    ``side``: (h, w) float32, pixels of the anchor per pixel, along a side; 1 where neighbours are unknown.
    ``trust``: (h, w) float32 in [0, 1]: 0 where the point is not visible, beside silhouettes, and where the anchor's
    pixels are much larger or smaller.
    ``covered``: (h, w), where the point is visible at about the same size, also beside silhouettes.
    """

    anchor: int
    position: Float
    side: Float
    trust: Float
    covered: npt.NDArray[np.bool_]


class Anchor:
    """An anchor, and a current frame that is located in it. `advance` moves the current frame to a neighbour."""

    def __init__(self, number: int, shown: Surfaces) -> None:
        self.number = number
        self._key = self._now = shown
        self._edges = silhouettes(shown.surface)
        self._transforms: dict[int, Matrix] | None = None
        """From the current frame to the anchor, by surface; None: the current frame is the anchor."""
        height, width = shown.size
        y, x = np.mgrid[:height, :width].astype(np.float32)
        self._followed = np.stack([x, y], axis=-1)

    def advance(self, motion: Motion, shown: Surfaces) -> None:
        """Moves the current frame along the motion to one that shows ``shown``. Reverse the motion to go back."""
        inverse = {number: np.linalg.inv(matrix) for number, matrix in (motion.transforms or {}).items()}
        if self._transforms is None:
            self._transforms = inverse
        else:
            known = self._transforms
            self._transforms = {number: known[number] @ m for number, m in inverse.items() if number in known}
        followed = np.empty_like(self._followed)
        forward, backward = motion.forward.numpy(force=True), motion.backward.numpy(force=True)
        follow(self._followed, shown.surface, backward, self._now.surface, forward, followed)
        self._followed, self._now = followed, shown

    def seen(self) -> Seen:
        """For the current frame."""
        return _seen(self.number, self._key, self._edges, self._now, self._transforms or {}, self._followed)


def seen_through(steps: Sequence[Mapping[int, Matrix]], number: int, key: Surfaces, now: Surfaces) -> Seen:
    """Positions of a frame's surface points in a later frame, ``number``, by rigid motion alone.

    Args:
        steps: rigid motions by surface, of each frame after this one up to the later frame, from the frame before.
        key: the later frame's surfaces. now: this frame's.
    """
    transforms = dict(steps[0])
    for step in steps[1:]:
        transforms = {surface: m @ transforms[surface] for surface, m in step.items() if surface in transforms}
    nowhere = np.full((*now.size, 2), np.nan, np.float32)
    return _seen(number, key, silhouettes(key.surface), now, transforms, nowhere)


def _seen(
    number: int, key: Surfaces, edges: Float, now: Surfaces, transforms: Mapping[int, Matrix], followed: Float
) -> Seen:
    position = np.empty_like(followed)
    surfaces = np.array(sorted(transforms), np.int32)
    matrices = np.array([transforms[int(surface)] for surface in surfaces], np.float64).reshape(-1, 4, 4)
    locate(now.surface, now.depth, surfaces, matrices, key.surface, key.depth, followed, position)
    side, known = _side(position), ~np.isnan(position[..., 0])
    sharp = np.interp(side, _SHARP, (0, 1, 1, 0))
    x, y = np.nan_to_num(position).transpose(2, 0, 1)
    edges = np.asarray(cv2.remap(edges, x, y, cv2.INTER_LINEAR), np.float32)
    trust = np.where(known, sharp * (1 - silhouettes(now.surface)) * (1 - edges), 0)
    return Seen(number, position, side, trust.astype(np.float32), known & (sharp >= _FAIR))


def reverse(motion: Motion) -> Motion:
    """The motion from the new frame to the old."""
    return Motion(
        motion.backward,
        motion.forward,
        surface_old=motion.surface_new,
        surface_new=motion.surface_old,
        depth_old=motion.depth_new,
        depth_new=motion.depth_old,
        transforms={number: np.linalg.inv(matrix) for number, matrix in (motion.transforms or {}).items()},
    )


def silhouettes(surface: Ints) -> Float:
    """(h, w): 1 within ``SILHOUETTE_PX`` of where two surfaces meet, 0 elsewhere."""
    edge = np.zeros(surface.shape, np.uint8)
    along, down = surface[:, 1:] != surface[:, :-1], surface[1:] != surface[:-1]
    edge[:, 1:] |= along
    edge[:, :-1] |= along
    edge[1:] |= down
    edge[:-1] |= down
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * SILHOUETTE_PX - 1,) * 2)
    return cv2.dilate(edge, disc).astype(np.float32)


def _side(position: Float) -> Float:
    """(h, w): pixels of the anchor per pixel, along a side; 1 where neighbours are unknown."""
    if min(position.shape[:2]) < 2:
        return np.ones(position.shape[:2], np.float32)
    down, along = np.gradient(position, axis=0), np.gradient(position, axis=1)
    area = np.abs(along[..., 0] * down[..., 1] - along[..., 1] * down[..., 0])
    return np.asarray(np.sqrt(np.nan_to_num(area, nan=1.0)), np.float32)
