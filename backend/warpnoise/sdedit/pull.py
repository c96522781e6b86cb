"""Pull: draws predictions toward the existing look of surfaces, in the later steps of a denoising.

Each step predicts the finished picture x_0. Pull draws it toward a target in pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from warpnoise.sdedit.padding import pad_to
from warpnoise.sdedit.run import Run

LATENT_STEPS = 3
"""The number of last steps in which latent models are drawn. Each costs a decoding and two encodings."""


@dataclass(frozen=True)
class Pull:
    """``target``: (b, 3, h, w) float32 in [0, 1]. ``weight``: (b, 1, h, w) float32 in [0, 1], 0 where the surface's
    look is unknown."""

    target: torch.Tensor
    weight: torch.Tensor

    def padded(self, like: torch.Tensor, cell: int) -> Pull:
        """Padded to the pictures of latents ``like``, of ``cell`` x ``cell`` pixels each; on their device."""
        size = [side * cell for side in like.shape[-2:]]
        return Pull(pad_to(self.target.to(like), *size), pad_to(self.weight.to(like), *size))

    def part(self, frames: slice) -> Pull:
        """The pull of some frames of the batch."""
        return Pull(self.target[frames], self.weight[frames])

    def change(self, picture: torch.Tensor) -> torch.Tensor:
        """The change that draws a prediction, (b, 3, h, w) about in [-1, 1], toward the target."""
        return self.weight * (self.target * 2 - 1 - picture)


Change = Callable[[torch.Tensor], torch.Tensor]
"""Predicted x_0, (b, c, h, w) -> the tensor to add to it."""


def redirected(run: Run, index: int, output: torch.Tensor, x: torch.Tensor, change: Change, steps: int) -> torch.Tensor:
    """The model's output at step ``index``, with its predicted picture drawn by ``change`` in the last ``steps``."""
    if index < len(run.timesteps) - steps:
        return output
    return run.redirected(index, output, x, change(run.picture(index, output, x)))
