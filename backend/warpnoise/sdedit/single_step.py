"""Samplers that need one prediction a step: DDIM, DDPM, Euler, ancestral Euler, LCM, TCD and flow-matching Euler.

All of them split x into the picture and the noise that the model sees in it, and mix these again for the next timestep,
with a part of the noise replaced by fresh noise z (Song et al. 2021, equation 12, in Kingma et al. 2021's notation):

    x_t = alpha_t x_0 + sigma_t e        x_s = alpha_s x_0 + sqrt(sigma_s^2 - tau_s^2) e + tau_s z

They differ in the timesteps, and in tau. Diffusion preserves variance: alpha^2 + sigma^2 = 1; alpha^2 is
``alphas_cumprod``. Flow matching (Lipman et al. 2023) mixes linearly: alpha + sigma = 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import diffusers
import torch

from warpnoise.sdedit.run import PREDICTIONS, Prediction, Run, construct
from warpnoise.sdedit.samplers import steps_to_run


class SingleStepRun(Run):
    """The steps of this module's formula.

    Args:
        alpha, sigma: n + 1 each; the last is where the run ends.
        tau: n; the noise that step i adds.
        settle: (x_0, x, index) -> the picture to continue with: clipped, or mixed with x.
    """

    def __init__(
        self,
        timesteps: torch.Tensor,
        alpha: Sequence[float],
        sigma: Sequence[float],
        tau: Sequence[float],
        prediction: Prediction,
        settle: Callable[[torch.Tensor, torch.Tensor, int], torch.Tensor] | None = None,
        noise_scale: float = 1.0,
    ) -> None:
        super().__init__(timesteps, prediction, noise_scale)
        self._alpha, self._sigma, self._tau, self._settle = alpha, sigma, tau, settle

    def start(self, x_0: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        return self._alpha[0] * x_0 + self._sigma[0] * self._noise_scale * noise

    def is_stochastic(self, index: int) -> bool:
        return self._tau[index] > 0 and index < len(self.timesteps) - 1

    def step(self, index: int, output: torch.Tensor, x: torch.Tensor, noise: torch.Tensor | None) -> torch.Tensor:
        x_0, e = self._prediction.split(x, output, *self._mixed(index))
        if self._settle is not None:
            x_0 = self._settle(x_0, x, index)
        alpha, sigma = self._mixed(index + 1)
        tau = 0.0 if noise is None else self._tau[index]
        x = alpha * x_0 + math.sqrt(max(sigma**2 - tau**2, 0.0)) * e
        return x if noise is None else x + tau * self._noise_scale * noise

    def _mixed(self, index: int) -> tuple[float, float]:
        return self._alpha[index], self._sigma[index]


def flow_run(
    entries: dict[str, Any], timing: dict[str, Any], strength: float, eta: float, scale: float
) -> SingleStepRun:
    """Euler steps along the velocity. At ``eta`` 1, all noise is replaced (``stochastic_sampling`` of diffusers)."""
    scheduler = construct(diffusers.FlowMatchEulerDiscreteScheduler, entries)
    scheduler.set_timesteps(**timing)
    begin = len(scheduler.timesteps) - steps_to_run(len(scheduler.timesteps), strength)
    sigma = scheduler.sigmas[begin:].double().tolist()
    tau = [eta * after for after in sigma[1:]]
    return SingleStepRun(
        scheduler.timesteps[begin:],
        [1 - s for s in sigma],
        sigma,
        tau,
        PREDICTIONS["flow_prediction"],
        noise_scale=scale,
    )


def diffusion_run(name: str, entries: dict[str, Any], steps: int, strength: float, eta: float) -> SingleStepRun:
    """DDIM, Euler, ancestral Euler, LCM or TCD."""
    if name == "ddim" and entries.get("timestep_spacing") == "linspace":
        # It ends at timestep 0, where nothing is left to do. With a single step, DDIM would start there.
        entries = {**entries, "timestep_spacing": "trailing"}
    scheduler = construct(getattr(diffusers, entries["_class_name"]), entries)
    scheduler.set_timesteps(steps)
    timesteps = scheduler.timesteps[-steps_to_run(steps, strength) :]
    if name.startswith("euler"):
        # In diffusers' Euler, x is x_0 + s e, and the network's input is x / sqrt(1 + s^2).
        s = scheduler.sigmas[-len(timesteps) - 1 :].double()
        a = 1 / (1 + s**2)
    else:
        last = scheduler.final_alpha_cumprod
        if name == "tcd":
            last = scheduler.alphas_cumprod[0]
        elif name == "lcm":
            last = torch.tensor(1.0)
        a = torch.cat([scheduler.alphas_cumprod[timesteps.long()], last.reshape(1)]).double()
    alpha, sigma = a.sqrt().tolist(), (1 - a).sqrt().tolist()
    tau = _fresh_noise(name, scheduler, timesteps, a.tolist(), eta)
    settle = _settle(scheduler, timesteps if name == "lcm" else None)
    return SingleStepRun(timesteps, alpha, sigma, tau, PREDICTIONS[entries.get("prediction_type", "epsilon")], settle)


def _fresh_noise(name: str, scheduler: Any, timesteps: torch.Tensor, a: list[float], eta: float) -> list[float]:
    """tau of each step."""
    if name == "euler":
        return [0.0] * len(timesteps)
    if name == "lcm":  # consistency sampling: all noise is replaced (Song et al. 2023, algorithm 1)
        return [math.sqrt(1 - after) for after in a[1:]]
    if name == "tcd":  # down to s = (1 - eta) t', and back up to t' (Zheng et al. 2024, algorithm 4)
        below = [math.floor((1 - eta) * t) for t in [*timesteps.tolist()[1:], 0]]
        return [
            math.sqrt(max(1 - after / float(scheduler.alphas_cumprod[s]), 0.0))
            for after, s in zip(a[1:], below, strict=True)
        ]
    if name == "euler_ancestral":  # k-diffusion's sigma_up is DDPM's, in other units
        eta = 1.0
    # DDIM to DDPM (Song et al. 2021, equation 16)
    return [
        eta * math.sqrt(max((1 - after) / (1 - now) * (1 - now / after), 0.0)) if now < 1 else 0.0
        for now, after in pairwise(a)
    ]


def _settle(
    scheduler: Any, consistency: torch.Tensor | None
) -> Callable[[torch.Tensor, torch.Tensor, int], torch.Tensor]:
    """Clip predicted pictures as the model's configuration says; then, for consistency models, their boundary
    condition (Luo et al. 2023, equation 9) at those timesteps."""
    config = scheduler.config
    skip_out = None
    if consistency is not None:
        skip_out = [scheduler.get_scalings_for_boundary_condition_discrete(float(t)) for t in consistency]

    def settle(x_0: torch.Tensor, x: torch.Tensor, index: int) -> torch.Tensor:
        if config.get("thresholding"):
            x_0 = _threshold(x_0, config["dynamic_thresholding_ratio"], config["sample_max_value"])
        elif config.get("clip_sample"):
            x_0 = x_0.clamp(-config["clip_sample_range"], config["clip_sample_range"])
        if skip_out is not None:
            c_skip, c_out = skip_out[index]
            x_0 = float(c_out) * x_0 + float(c_skip) * x
        return x_0

    return settle


def _threshold(x_0: torch.Tensor, ratio: float, highest: float) -> torch.Tensor:
    """Dynamic thresholding (Saharia et al. 2022, section 2.3): clip to a quantile s of the picture and divide by s."""
    s = torch.quantile(x_0.flatten(1).abs(), ratio, dim=1).clamp(1, highest).view(-1, *[1] * (x_0.dim() - 1))
    return torch.maximum(torch.minimum(x_0, s), -s) / s
