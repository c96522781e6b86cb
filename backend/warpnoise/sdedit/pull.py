"""Drawing a prediction toward what its surfaces already look like, in the later steps of a denoising.

Each step predicts the finished picture x_0. It is drawn toward a target in pixels; in the last step less, so that the
model has the last word on how the parts fit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn.functional import max_pool2d

from warpnoise.sdedit.padding import pad_to
from warpnoise.sdedit.schedule import Run

LATENT_STEPS = 3
"""Latent models are drawn in so many of the last steps: each costs a decoding and two encodings."""

AROUND_PX = 9
"""The target is clamped to the colours of the prediction in so many pixels around, along a side, as temporal
anti-aliasing does (Karis 2014). Without a clamp contrast grows over a shot in smooth styles; in 5 pixels lines fade."""
LAST_STEP = 0.9
"""How strongly the last step is drawn. If it is free, the model takes back what it would not have painted there: lines
fade over a shot."""


@dataclass(frozen=True)
class Pull:
    """``target``: (b, 3, h, w) float32 in [0, 1]. ``weight``: (b, 1, h, w) float32 in [0, 1], 0 where nothing is known
    of the surface."""

    target: torch.Tensor
    weight: torch.Tensor

    def padded(self, like: torch.Tensor) -> Pull:
        """For pictures of the size of ``like``, (b, 3, height, width), on its device."""
        size = like.shape[-2:]
        return Pull(pad_to(self.target.to(like), *size), pad_to(self.weight.to(like), *size))

    def part(self, frames: slice) -> Pull:
        """Of some frames of the batch."""
        return Pull(self.target[frames], self.weight[frames])

    def change(self, picture: torch.Tensor) -> torch.Tensor:
        """What is added to a prediction, (b, 3, h, w) about in [-1, 1], to draw it toward the target."""
        around = picture.clamp(-1, 1)
        least, most = (sign * max_pool2d(sign * around, AROUND_PX, 1, AROUND_PX // 2) for sign in (-1, 1))
        return self.weight * ((self.target * 2 - 1).clamp(least, most) - picture)


Change = Callable[[torch.Tensor], torch.Tensor]
"""Predicted x_0, (b, c, h, w) -> what is added to it."""


def redirected(run: Run, index: int, output: torch.Tensor, x: torch.Tensor, change: Change, steps: int) -> torch.Tensor:
    """The model's output at step ``index``, with its predicted picture drawn by ``change`` in the last ``steps``."""
    last = len(run.timesteps) - 1
    if index <= last - steps:
        return output
    strength = LAST_STEP if index == last else 1.0
    return run.redirected(index, output, x, strength * change(run.picture(index, output, x)))
