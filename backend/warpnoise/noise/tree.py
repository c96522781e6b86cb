"""The tree of white noise over a grid of pixels, in the form that the kernels take."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .kernels.random import mix
from .kernels.types import Tree, u64

MOST_HALVINGS = 16
"""Limits the levels of the tree to 62, of which 30 are below a pixel (`transport.MAX_DEPTH`)."""


def tree_over(height: int, width: int, side: int, seed: int, device: torch.device) -> Tree:
    """The tree over a grid of height x width pixels, each of side x side leaves."""
    halvings, rows, columns = 0, height, width
    while rows % 2 == 0 and columns % 2 == 0 and halvings < MOST_HALVINGS:
        rows, columns, halvings = rows // 2, columns // 2, halvings + 1
    key0, key1 = seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF  # Philox's key
    measures = np.exp2(np.float32(2 * halvings) - np.arange(64, dtype=np.float32))
    return Tree(
        seed=u64(key0 ^ int(mix.py_func(u64(key1)))),  # type: ignore[attr-defined]
        key0=u64(key0),
        key1=u64(key1),
        halvings=halvings,
        leaf=2 * (halvings + side.bit_length() - 1),
        least=np.float32(4.0 / 3.0 / side**2),  # type: ignore[arg-type]
        measures=torch.from_numpy(measures).to(device),
        width=width,
        height=height,
    )


def tree_order(height: int, width: int, device: torch.device) -> Tensor:
    """The row-major indices of a grid's pixels in the tree's order (Morton order): neighbors share most ancestors."""
    x, y = torch.arange(width, device=device), torch.arange(height, device=device)
    of_x, of_y = torch.zeros_like(x), torch.zeros_like(y)
    for bit in range(max(width, height).bit_length()):
        of_x |= (x >> bit & 1) << (2 * bit + 1)
        of_y |= (y >> bit & 1) << (2 * bit)
    return torch.argsort((of_x | of_y[:, None]).flatten())
