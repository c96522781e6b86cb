"""Phase lock: the displacement of the surface that fills most of the frame, and the shift that keeps it on a grid.

Autoencoders and U-Nets commute only with shifts by whole cells. If each picture is shifted by less than a cell, so that
its dominant surface keeps its position modulo the cell, then this surface moves by whole cells. In pans by whole pixels
and with a still camera, this is the only motion.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from warpnoise.noise import Motion

TOLERANCE = 1 / 16
"""In pixels. Vectors within this distance of the displacement count as equal to it."""

EXACT_SHARE = 0.99
"""In a pan or with a still camera, at least this share of every frame moves by the same displacement."""


@dataclass(frozen=True)
class Displacement:
    """The common motion of a frame pair's dominant surface.

    Attributes:
        x, y: pixels, right and down.
        share: part of the frame's pixels that move so, 0 to 1. Pixels without a known motion do not.
    """

    x: float
    y: float
    share: float


def dominant_displacement(motion: Motion) -> Displacement:
    """The median motion of the surface with the most pixels of known motion in the old frame.

    If no motion is known, the displacement is 0.
    """
    vectors = motion.forward.reshape(-1, 2).cpu()
    known = vectors.isfinite().all(dim=1)
    if not bool(known.any()):
        return Displacement(0.0, 0.0, 0.0)
    chosen = known
    if motion.surface_old is not None:
        surfaces = motion.surface_old.reshape(-1).cpu()
        values, counts = torch.unique(surfaces[known], return_counts=True)
        chosen = known & (surfaces == values[counts.argmax()])
    x, y = (float(value) for value in vectors[chosen].median(dim=0).values)
    near = ((vectors - torch.tensor([x, y])).abs() <= TOLERANCE).all(dim=1)
    return Displacement(x, y, float((near & known).double().mean()))


class PhaseLock:
    """Where to shift each frame of a shot so that its dominant surface keeps its phase.

    A frame's shift depends on the motions from the shot's first frame to it, and on nothing later.

    Args:
        cell: pixels on a side of a cell.
        step: the unit of shifts, which is the ``scale`` of the pixel noise. It divides ``cell``.
        exact: from the first frame pair on in which less than EXACT_SHARE has the same displacement, the shift stays
            constant. In other motion, the lock would hold one surface and move all others.

    Raises:
        ValueError: ``step`` does not divide ``cell``.
    """

    def __init__(self, cell: int, step: int = 1, *, exact: bool = False) -> None:
        if cell < 1 or step < 1 or cell % step:
            raise ValueError(f"cell and step must be positive and step must divide cell, got {cell} and {step}")
        self.cell = cell
        self.step = step
        self.exact = exact
        self.share = 1.0
        """The smallest share of pixels that moved with the dominant surface so far."""
        self.moved = False
        """Whether any shift has differed from (0, 0). Until then, pictures need no room for one."""
        self._x = self._y = 0.0

    def advance(self, motion: Motion) -> tuple[int, int]:
        """Advances to the next frame and returns its ``shift``."""
        moved = dominant_displacement(motion)
        self.share = min(self.share, moved.share)
        if not self.exact or self.share >= EXACT_SHARE:
            self._x += moved.x
            self._y += moved.y
            self.moved = self.moved or self.shift != (0, 0)
        return self.shift

    @property
    def shift(self) -> tuple[int, int]:
        """(down, right), pixels, each a multiple of ``step`` from 0 to below ``cell``."""
        return self._counter(self._y), self._counter(self._x)

    @property
    def error(self) -> float:
        """The distance of the surface from its phase after the shift, in pixels: up to half of ``step``."""
        return max(abs(at - self.step * round(at / self.step)) for at in (self._x, self._y))

    def _counter(self, at: float) -> int:
        return -self.step * round(at / self.step) % self.cell


def shift_picture(pictures: Tensor, shift: tuple[int, int], cell: int) -> Tensor:
    """(..., h, w) to (..., h + cell, w + cell): moved down and right by the shift, extended by reflection."""
    for dim, by in ((-2, shift[0]), (-1, shift[1])):
        size = pictures.shape[dim]
        index = (torch.arange(size + cell, device=pictures.device) - by) % max(2 * size - 2, 1)
        pictures = pictures.index_select(dim, torch.minimum(index, (2 * size - 2 - index).abs()))
    return pictures


def shift_noise(noise: Tensor, shift: tuple[int, int], cell: int, seed: int) -> Tensor:
    """(b, c, h, w) white noise to (b, c, h + cell, w + cell): moved, with independent values around it.

    Reflected noise would not be white. The values around are the same in all frames of one ``seed``; give each noise
    map its own.

    Args:
        shift, cell: in values of the noise: those of the picture, divided by its scale.
    """
    height, width = noise.shape[-2:]
    generator = torch.Generator().manual_seed(seed)
    shape = (noise.shape[1], height + cell, width + cell)
    canvas = torch.randn(shape, generator=generator).to(noise).expand(len(noise), *shape).clone()
    canvas[..., shift[0] : shift[0] + height, shift[1] : shift[1] + width] = noise
    return canvas


def cut_picture(pictures: Tensor, shift: tuple[int, int], height: int, width: int) -> Tensor:
    """The inverse of ``shift_picture``: (..., height, width) out of a shifted picture."""
    return pictures[..., shift[0] : shift[0] + height, shift[1] : shift[1] + width]
