"""Pictures for the tests of the painters and of training."""

from __future__ import annotations

import numpy as np

from training.kuwahara import Image


def picture(seed: int, size: int = 48) -> Image:
    """A lit slope with a few flat blocks: edges, tones and colours for the painters."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    image = np.stack([x, y, 1 - x], axis=2) * 0.6 + 0.2
    for _ in range(4):
        top, left = rng.integers(0, size - 16, 2)
        image[top : top + 16, left : left + 16] = rng.random(3)
    return image.astype(np.float32)
