"""Pull: draws predictions toward the surfaces' existing look, in the later steps of a denoising.

Each step predicts the finished picture x_0. Pull draws it toward a target in pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn.functional import pad

from warpnoise.sdedit.padding import pad_to
from warpnoise.sdedit.run import Run

LATENT_STEPS = 3
"""Latent models are drawn in so many of the last steps: each costs a decoding and two encodings."""

AROUND_PX = 9
"""The target is clamped to the colours of the prediction in so many pixels around, along a side, as temporal
anti-aliasing does (Karis 2014); in 5 pixels lines fade."""
SLACK = 1.0
"""How far the clamp's range is widened on both sides, relative to its extent. Without slack hatching fades: the model
predicts less contrast where strokes turn with a surface, and less again in the next step."""


@dataclass(frozen=True)
class Pull:
    """``target``: (b, 3, h, w) float32 in [0, 1]. ``weight``: (b, 1, h, w) float32 in [0, 1], 0 where the surface's
    look is unknown."""

    target: torch.Tensor
    weight: torch.Tensor

    def padded(self, like: torch.Tensor, cell: int) -> Pull:
        """For pictures whose latents, of ``cell`` x ``cell`` pixels, are as ``like``; on its device."""
        size = [side * cell for side in like.shape[-2:]]
        return Pull(pad_to(self.target.to(like), *size), pad_to(self.weight.to(like), *size))

    def part(self, frames: slice) -> Pull:
        """Of some frames of the batch."""
        return Pull(self.target[frames], self.weight[frames])

    def change(self, picture: torch.Tensor) -> torch.Tensor:
        """What is added to a prediction, (b, 3, h, w) about in [-1, 1], to draw it toward the target."""
        around = picture.clamp(-1, 1)
        least, most = -_greatest_around(-around), _greatest_around(around)
        slack = SLACK * (most - least)
        return self.weight * ((self.target * 2 - 1).clamp(least - slack, most + slack) - picture)


def _greatest_around(x: torch.Tensor) -> torch.Tensor:
    """The maximum over ``AROUND_PX`` pixels along a side, (b, c, h, w), by doubling the window: max pooling of this
    width takes a CPU forty times as long."""
    half = AROUND_PX // 2
    x = pad(x, (half,) * 4, value=-torch.inf)
    for dim in (-2, -1):
        width = 1
        while width < AROUND_PX:
            step, size = min(width, AROUND_PX - width), x.shape[dim]
            x = torch.maximum(x.narrow(dim, 0, size - step), x.narrow(dim, step, size - step))
            width += step
    return x


Change = Callable[[torch.Tensor], torch.Tensor]
"""Predicted x_0, (b, c, h, w) -> what is added to it."""


def redirected(run: Run, index: int, output: torch.Tensor, x: torch.Tensor, change: Change, steps: int) -> torch.Tensor:
    """The model's output at step ``index``, with its predicted picture drawn by ``change`` in the last ``steps``."""
    if index < len(run.timesteps) - steps:
        return output
    return run.redirected(index, output, x, change(run.picture(index, output, x)))
