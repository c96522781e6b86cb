"""A card that moves before a still wall, which it occludes and disoccludes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from warpnoise.noise import Motion

CARD = 7
WALL = 3


@dataclass(frozen=True)
class Occlusion:
    """The card's left edge is at ``left + speed * t``; ``size`` x ``size`` pixels."""

    size: int = 24
    left: float = 3.0
    width: float = 8.0
    speed: float = 1.3

    def surface(self, t: int) -> npt.NDArray[np.int32]:
        x = np.arange(self.size) + 0.5 - (self.left + self.speed * t)
        y = np.arange(self.size)
        inside = ((x >= 0) & (x < self.width))[None, :] & ((y >= self.size // 4) & (y < self.size * 3 // 4))[:, None]
        return np.where(inside, CARD, WALL).astype(np.int32)

    def motion(self, t: int, *, surfaces: bool = True) -> Motion:
        """From frame t to the next."""
        old, new = self.surface(t), self.surface(t + 1)
        forward, backward = (np.zeros((self.size, self.size, 2), np.float32) for _ in range(2))
        forward[old == CARD, 0], backward[new == CARD, 0] = self.speed, -self.speed
        if not surfaces:
            return Motion(forward, backward)
        return Motion(forward, backward, surface_old=old, surface_new=new)

    def card(self, t: int) -> Tensor:
        """(size, size) bool: where the card is seen in frame t."""
        return torch.from_numpy(self.surface(t) == CARD)

    def silhouette(self, t: int) -> Tensor:
        """(size, size) bool: pixels one of whose neighbours shows the other surface."""
        card = self.card(t)
        edge = torch.zeros_like(card)
        for axis in (0, 1):
            differs = card.diff(dim=axis)
            for start in (0, 1):
                edge.narrow(axis, start, self.size - 1).logical_or_(differs)
        return edge

    def disoccluded(self, t: int) -> Tensor:
        """(size, size) bool: pixels of the wall that was occluded in the previous frame."""
        return ~self.card(t) & self.card(t - 1)
