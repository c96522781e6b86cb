"""One frame's noise in the layouts that models and tools take their latents in."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from warpnoise.errors import SettingsError

Layout = Literal["planes", "last", "patches", "tokens"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
Array = npt.NDArray[np.float32]


def layout_shape(layout: Layout, channels: int, height: int, width: int) -> tuple[int, ...]:
    """The shape of one frame's noise in a layout.

    - ``planes``: (channels, height, width), as PyTorch has it: Stable Diffusion, SD 3, Wan.
    - ``last``: (height, width, channels), as the files of Go-with-the-Flow have it.
    - ``patches``: (4 channels, height / 2, width / 2), each 2 x 2 block in a position: FLUX.2's latents.
    - ``tokens``: (height / 2 * width / 2, 4 channels), the same blocks row by row: what FLUX, Qwen-Image and others
      feed their transformers.

    Blocks are in the order of channel, row, column, as diffusers packs them. Both are permutations of independent
    values, so the noise stays exact.

    Raises:
        SettingsError: a side is odd, and the layout has blocks.
    """
    if layout in ("patches", "tokens") and (height % 2 or width % 2):
        raise SettingsError(f"layout {layout}: the noise is {width} x {height}; blocks of 2 x 2 need even sides")
    return {
        "planes": (channels, height, width),
        "last": (height, width, channels),
        "patches": (4 * channels, height // 2, width // 2),
        "tokens": (height // 2 * (width // 2), 4 * channels),
    }[layout]


def arrange(noise: Array, layout: Layout) -> Array:
    """The noise (..., channels, height, width) in a layout of `layout_shape`; further axes stay in front."""
    *front, channels, height, width = noise.shape
    shape = (*front, *layout_shape(layout, channels, height, width))
    if layout == "last":
        return np.moveaxis(noise, -3, -1)
    if layout in ("patches", "tokens"):
        blocks = noise.reshape(-1, channels, height // 2, 2, width // 2, 2)
        axes = (0, 1, 3, 5, 2, 4) if layout == "patches" else (0, 2, 4, 1, 3, 5)
        return blocks.transpose(axes).reshape(shape)
    return noise
