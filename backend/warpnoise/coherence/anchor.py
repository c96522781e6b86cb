"""An anchor: a frame whose finished picture is carried to others, and where their pixels lie in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from warpnoise.coherence.locate import Float, Ints, follow, locate
from warpnoise.noise import Motion

SILHOUETTE_PX = 3
"""What is drawn so near to where one surface ends and another begins belongs to the view, not to a surface."""
_SHARP = (0.4, 0.75, 1.5, 3.0)
"""Pixels of the anchor per pixel, along a side: outside of the outer two its picture is too coarse or too fine."""
_FAIR = 0.5
"""Of that sharpness: from here on an anchor shows a pixel well enough that no new key frame is needed."""


Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Surfaces:
    """What a frame shows. ``surface``: (h, w) int32; ``depth``: (h, w) float32, projective, larger is nearer."""

    surface: Ints
    depth: Float

    @property
    def size(self) -> tuple[int, int]:
        return self.surface.shape[0], self.surface.shape[1]


@dataclass(frozen=True)
class Seen:
    """Where the anchor numbered ``anchor`` shows what each pixel shows.

    ``position``: (h, w, 2) float32, x and y in pixels of the anchor; NaN: it does not.
    ``trust``: (h, w) float32 in [0, 1]: 0 where it does not, beside silhouettes, and where the anchor's pixels are much
    larger or smaller.
    ``covered``: (h, w), where it does, at about the same size, also beside silhouettes.
    """

    anchor: int
    position: Float
    trust: Float
    covered: npt.NDArray[np.bool_]


class Anchor:
    """Stands on the frame that it is made of; `advance` moves it along a motion, forwards or, reversed, backwards."""

    def __init__(self, number: int, shown: Surfaces) -> None:
        self.number = number
        self._key = self._now = shown
        self._edges = silhouettes(shown.surface)
        self._transforms: dict[int, Matrix] | None = None
        """From the frame that it stands on to its own, by surface; None: still on its own."""
        height, width = shown.size
        y, x = np.mgrid[:height, :width].astype(np.float32)
        self._followed = np.stack([x, y], axis=-1)

    def advance(self, motion: Motion, shown: Surfaces) -> None:
        """Moves to the next frame, which shows ``shown``."""
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
        """For the frame that it stands on."""
        return _seen(self.number, self._key, self._edges, self._now, self._transforms or {}, self._followed)


def seen_through(steps: Sequence[Mapping[int, Matrix]], number: int, key: Surfaces, now: Surfaces) -> Seen:
    """Where a later frame, ``number``, shows what a frame shows, by rigid motion alone.

    Args:
        steps: rigid motions by surface, of each frame after this one up to the later frame, from the frame before.
        key: what the later frame shows. now: what this one shows.
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
    sharp, known = _sharpness(position), ~np.isnan(position[..., 0])
    x, y = np.nan_to_num(position).transpose(2, 0, 1)
    edges = np.asarray(cv2.remap(edges, x, y, cv2.INTER_LINEAR), np.float32)
    trust = np.where(known, sharp * (1 - silhouettes(now.surface)) * (1 - edges), 0)
    return Seen(number, position, trust.astype(np.float32), known & (sharp >= _FAIR))


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


def _sharpness(position: Float) -> Float:
    """(h, w) in [0, 1]: whether a pixel covers about a pixel of the anchor; 1 where that is not known."""
    if min(position.shape[:2]) < 2:
        return np.ones(position.shape[:2], np.float32)
    down, along = np.gradient(position, axis=0), np.gradient(position, axis=1)
    area = np.abs(along[..., 0] * down[..., 1] - along[..., 1] * down[..., 0])
    side = np.sqrt(np.nan_to_num(area, nan=1.0))
    coarse, fair, good, fine = _SHARP
    sharp: Float = np.interp(side, (coarse, fair, good, fine), (0, 1, 1, 0)).astype(np.float32)
    return sharp
