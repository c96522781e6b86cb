"""Motions and pictures whose every figure is known in closed form."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from warpnoise.noise import Motion

Array = npt.NDArray[np.float32]


def grid(height: int, width: int) -> Array:
    """(h, w, 2), x and y of the pixels' centres."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.stack([x, y], axis=-1)


def pan(height: int, width: int, dx: float, dy: float = 0.0) -> Motion:
    """Everything moves by (dx, dy) pixels."""
    step = np.broadcast_to(np.array([dx, dy], np.float32), (height, width, 2))
    return Motion(step.copy(), -step)


def zoom(height: int, width: int, factor: float) -> Motion:
    """The picture grows by ``factor`` about its centre."""
    offset = grid(height, width) - np.array([(width - 1) / 2, (height - 1) / 2], np.float32)
    return Motion((factor - 1) * offset, (1 / factor - 1) * offset)


def smooth_texture(seed: int, height: int, width: int) -> Callable[[Array], Array]:
    """A texture without end: a function of (..., 2) positions in pixels that gives (..., 3) in [0, 1].

    Waves of 12 to 30 pixels: what is read between pixels is right to about 1e-3.
    """
    random = np.random.default_rng(seed)
    length, angle = random.uniform(12, 30, (3, 12)), random.uniform(0, 2 * np.pi, (3, 12))
    wave = np.stack([np.cos(angle), np.sin(angle)], axis=-1) * (2 * np.pi / length)[..., None]
    phase = random.uniform(0, 2 * np.pi, (3, 12))

    def texture(position: Array) -> Array:
        turns = np.einsum("...d,cwd->...cw", position.astype(np.float64), wave) + phase
        return (0.5 + np.sin(turns).mean(axis=-1) / 2).astype(np.float32)

    return texture
