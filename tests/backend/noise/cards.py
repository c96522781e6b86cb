"""Flat rigid surfaces in known motion: flow, surfaces, depths and transforms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from warpnoise.noise import Motion

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Card:
    """A rectangle that is parallel to the picture, or an infinite plane.

    Args:
        surface: the surface number.
        depth: projective depth; larger is nearer.
        place: t -> (3, 3), the rigid motion that takes the points (x, y, 1) of the card to frame t, in pixels.
        box: left, top, right, bottom. None: an infinite plane.
    """

    surface: int
    depth: float
    place: Callable[[float], Array]
    box: tuple[float, float, float, float] | None = None

    def holds(self, t: float, points: Array) -> npt.NDArray[np.bool_]:
        """Whether points of the picture, (h, w, 3), lie on the card."""
        x, y, _ = np.moveaxis(points @ np.linalg.inv(self.place(t)).T, -1, 0)
        if self.box is None:
            return np.ones(x.shape, bool)
        left, top, right, bottom = self.box
        return (x >= left) & (x < right) & (y >= top) & (y < bottom)


def surfaces(cards: Sequence[Card], t: float, size: int) -> npt.NDArray[np.int32]:
    """The surface that each pixel of frame t shows."""
    return np.array([card.surface for card in cards], np.int32)[_shown(cards, t, _centres(size))]


def motion(cards: Sequence[Card], old: float, new: float, size: int) -> Motion:
    """The motion between two frames. ``cards`` are in order, from the farthest to the nearest."""
    points = _centres(size)
    vectors, shown, depth = [], [], []
    for here, there in ((old, new), (new, old)):
        which = _shown(cards, here, points)
        steps = np.stack([card.place(there) @ np.linalg.inv(card.place(here)) for card in cards])
        moved = np.einsum("hwij,hwj->hwi", steps[which], points)
        vectors.append((moved - points)[..., :2].astype(np.float32))
        shown.append(surfaces(cards, here, size))
        depth.append(np.array([card.depth for card in cards], np.float32)[which])
    return Motion(
        *vectors,
        surface_old=shown[0],
        surface_new=shown[1],
        depth_old=depth[0],
        depth_new=depth[1],
        transforms={card.surface: _in_space(card.place(new) @ np.linalg.inv(card.place(old))) for card in cards},
    )


def shift(x: float, y: float) -> Array:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])


def turn(degrees: float, x: float, y: float) -> Array:
    """A turn about a point."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return shift(x, y) @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]) @ shift(-x, -y)


def _centres(size: int) -> Array:
    y, x = np.mgrid[:size, :size].astype(np.float64)
    return np.stack([x, y, np.ones_like(x)], axis=-1)


def _shown(cards: Sequence[Card], t: float, points: Array) -> npt.NDArray[np.int64]:
    """The index of the card that each point of frame t shows."""
    which = np.zeros(points.shape[:2], np.int64)
    for index, card in enumerate(cards):
        which[card.holds(t, points)] = index
    return which


def _in_space(matrix: Array) -> Array:
    """A motion (3, 3) in the picture as a transform of (x, y, d, 1)."""
    result = np.eye(4)
    kept = [0, 1, 3]
    result[np.ix_(kept, kept)] = matrix
    return result
