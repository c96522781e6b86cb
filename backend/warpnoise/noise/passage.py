"""A motion made ready for one way, old to new or new to old: where a point of the one frame lies in the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .motion import Motion

CALM_RATIO = 4  # at most so many motion pixels a noise pixel: else looking at each costs more than it saves


@dataclass(frozen=True, eq=False)
class Passage:
    """From the *start* frame to the *end* frame. All tensors on one device, of h x w motion pixels."""

    there: Tensor  # (h, w, 2) float32: vectors of the start frame's pixels
    back: Tensor  # (h, w, 2) float32: vectors of the end frame's pixels
    start: Tensor  # (h, w) int32: surfaces of the start frame
    end: Tensor  # (h, w) int32
    depth_start: Tensor  # (h, w) float32, or (0, 0): no depths
    depth_end: Tensor
    surfaces: Tensor  # (m,) int32, sorted: the surfaces that have a matrix
    matrices: Tensor  # (m, 4, 4) float64: from start to end
    trusted: Tensor  # (m,) bool: those whose matrix agrees with what is seen
    route: Tensor  # (h, w) int32: which matrix moves what a start pixel shows; -1: its vector does
    calm: Tensor  # (h, w) bool: a start pixel amid others of its surface that are all seen again; (0, 0): not asked
    scale_x: float  # motion pixels per noise pixel, exact in float32
    scale_y: float
    unscale_x: float
    unscale_y: float
    width: int  # of the noise
    height: int


def both_ways(motion: Motion, height: int, width: int, device: torch.device) -> tuple[Passage, Passage]:
    """The ways from the old frame to the new and back, with routes and calm still open (no matrix, nothing calm)."""
    h, w = motion.size
    scale_x, scale_y, unscale_x, unscale_y = (
        float(np.float32(v)) for v in (w / width, h / height, width / w, height / h)
    )
    scale = (scale_x, scale_y, unscale_x, unscale_y)

    def fetch(tensor: Tensor | None, size: tuple[int, int], dtype: torch.dtype) -> Tensor:
        if tensor is None:
            return torch.zeros(size, dtype=dtype, device=device)
        return tensor.to(device)

    forward, backward = motion.forward.to(device), motion.backward.to(device)
    old, new = (fetch(t, (h, w), torch.int32) for t in (motion.surface_old, motion.surface_new))
    depth_old, depth_new = (fetch(t, (0, 0), torch.float32) for t in (motion.depth_old, motion.depth_new))
    moved = motion.transforms or {}
    # A matrix without a way back says nothing of a surface (an object scaled to nothing).
    moved = {surface: matrix for surface, matrix in sorted(moved.items()) if np.linalg.matrix_rank(matrix) == 4}
    stack = np.stack(list(moved.values())) if moved else np.empty((0, 4, 4))
    surfaces = torch.tensor(list(moved), dtype=torch.int32, device=device)
    matrices = torch.from_numpy(stack).to(device)
    inverses = torch.from_numpy(np.linalg.inv(stack)).to(device)
    trusted = torch.zeros(len(moved), dtype=torch.bool, device=device)
    no_route = torch.full((h, w) if moved else (0, 0), -1, dtype=torch.int32, device=device)
    no_calm = torch.zeros((0, 0), dtype=torch.bool, device=device)
    ahead = Passage(
        forward,
        backward,
        old,
        new,
        depth_old,
        depth_new,
        surfaces,
        matrices,
        trusted,
        no_route,
        no_calm,
        *scale,
        width,
        height,
    )
    behind = Passage(
        backward,
        forward,
        new,
        old,
        depth_new,
        depth_old,
        surfaces,
        inverses,
        trusted,
        no_route,
        no_calm,
        *scale,
        width,
        height,
    )
    return ahead, behind


def wants_calm(passage: Passage) -> bool:
    h, w = passage.start.shape
    return min(h, w) >= 4 and h * w <= CALM_RATIO * passage.height * passage.width


def pixel_of(passage: Passage, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Row and column of the motion pixel that holds a point of the noise's grid. int64."""
    h, w = passage.start.shape
    column = (x * passage.scale_x).to(torch.int64).clamp(0, w - 1)
    return (y * passage.scale_y).to(torch.int64).clamp(0, h - 1), column


def inside(passage: Passage, x: Tensor, y: Tensor) -> Tensor:
    return (x >= 0) & (x < passage.width) & (y >= 0) & (y < passage.height)  # false for NaN
