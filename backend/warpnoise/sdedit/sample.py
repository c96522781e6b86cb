"""The algorithm: start from image and noise mixed, denoise to the end."""

from __future__ import annotations

from collections.abc import Callable

import torch

from warpnoise.errors import ModelError, stop_if
from warpnoise.sdedit.editor import NoiseMaps
from warpnoise.sdedit.pull import Change, redirected
from warpnoise.sdedit.schedule import Run

Denoiser = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""(x, t) -> what the scheduler calls the model's output, of x's shape, float32, guidance included."""


def sample(
    x_0: torch.Tensor,
    noise: NoiseMaps,
    run: Run,
    denoise: Denoiser,
    *,
    change: Change | None = None,
    changed_steps: int | None = None,
    on_step: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> torch.Tensor:
    """SDEdit (Meng et al. 2021, Algorithm 1) with noise from outside.

    Args:
        x_0: (b, c, h, w) float32, what to start from, in the model's own range.
        noise: ``noise(0)`` is mixed with x_0, ``noise(k)`` is added in the k-th stochastic step; (b, c, h, w) each.
        run: the timesteps, the mixing and the steps.
        denoise: the model.
        change: draws predicted pictures somewhere, in the last ``changed_steps``; None: in every step.

    Returns:
        (b, c, h, w) float32, the denoised x.

    Raises:
        Cancelled: ``cancelled()`` was true before a step.
        ModelError: the result is not finite.
    """
    total = len(run.timesteps)
    x = run.start(x_0, noise(0))
    stochastic = 0
    for index, t in enumerate(run.timesteps):
        stop_if(cancelled, "cancelled between two denoising steps")
        output = denoise(x, t)
        if change is not None:
            output = redirected(run, index, output, x, change, total if changed_steps is None else changed_steps)
        n = None
        if run.is_stochastic(index):
            stochastic += 1
            n = noise(stochastic)
        x = run.step(index, output, x, n)
        if on_step is not None:
            wait_for(x)
            on_step(index + 1, total)
    return finite(x)


def finite(x: torch.Tensor) -> torch.Tensor:
    """x. Raises ModelError where it is not finite."""
    if not torch.isfinite(x).all():
        raise ModelError(
            "the model returned infinite or undefined numbers: in half precision it may overflow (try float32 or "
            "bfloat16), otherwise its weights are damaged (download it again)"
        )
    return x


def wait_for(x: torch.Tensor) -> None:
    """A GPU works behind the calls: without waiting, steps would be reported, and cancelled, long before their time."""
    if x.device.type == "cuda":
        torch.cuda.current_stream(x.device).synchronize()
    elif x.device.type == "mps":
        torch.mps.synchronize()
