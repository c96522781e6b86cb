"""Drawing a prediction toward what its surfaces already look like, at the middle steps of a denoising.

Each step predicts the finished picture x_0. It is drawn toward a target in pixels, as far as the target's colours lie
among those that the prediction itself has in the 5 x 5 pixels around, as temporal anti-aliasing does (Karis 2014):
without this clamp lines at silhouettes smear. The last step is free.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn.functional import max_pool2d

from warpnoise.sdedit.padding import pad_to
from warpnoise.sdedit.schedule import Run

LATENT_STEPS = 3
"""Latent models are drawn in so many of the last steps but one: each costs a decoding and two encodings."""

AROUND_PX = 5
"""3 blurs more and holds less: predictions in early steps are blurred themselves."""


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
    """The model's output at step ``index``, with its predicted picture drawn by ``change`` in the last ``steps`` steps
    but for the very last."""
    last = len(run.timesteps) - 1
    if not last - steps <= index < last:
        return output
    return run.redirected(index, output, x, change(run.picture(index, output, x)))
