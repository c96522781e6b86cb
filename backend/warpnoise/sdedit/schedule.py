"""A model's noise schedule for SDEdit: where to start, how to mix noise and picture, and how to step.

A ``Schedule`` holds the schedule that the model was trained with, from its scheduler's configuration. ``Schedule.run``
returns a run through it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import diffusers
import torch

from warpnoise.errors import ModelError
from warpnoise.sdedit.run import PREDICTIONS, MultistepRun, Run, SingleStepRun, construct, len_of
from warpnoise.sdedit.samplers import SAMPLERS, is_flow, is_stochastic, own_sampler, steps_to_run


class Schedule:
    """A model's schedule, from its scheduler's configuration.

    ``clip``: whether predicted images lie in [-1, 1]; latents have no such range. ``noise_scale``: the standard
    deviation that the model's noise was trained with.
    """

    def __init__(self, config: dict[str, Any], *, clip: bool, noise_scale: float = 1.0) -> None:
        self.config = dict(config)
        self.is_flow = is_flow(config)
        self._noise_scale = noise_scale
        if not clip:
            self.config.update(clip_sample=False, thresholding=False)

    def entries(self, sampler: str | None) -> dict[str, Any]:
        """The configuration that ``sampler`` (None: the model's own) takes its timesteps from."""
        kind = SAMPLERS[sampler or own_sampler(self.config)[0]]
        if kind.scheduler == self.config.get("_class_name"):
            return {**self.config, **kind.options}
        entries = {**self.config, **kind.options, "_class_name": kind.scheduler}
        if self.is_flow and kind.scheduler != "FlowMatchEulerDiscreteScheduler":
            # What flow matching is called by the solvers that were first made for diffusion.
            entries.update(use_flow_sigmas=True, prediction_type="flow_prediction")
            entries.update(flow_shift=self.config.get("shift", self.config.get("flow_shift", 1.0)))
        elif self.is_flow:
            entries.update(shift=self.config.get("flow_shift", self.config.get("shift", 1.0)))
        return entries

    def run(
        self,
        steps: int,
        strength: float,
        eta: float,
        sampler: str | None = None,
        timing: dict[str, Any] | None = None,
    ) -> Run:
        """A new run; it belongs to one edit, as solvers carry state.

        Args:
            steps: of the whole schedule.
            strength: of SDEdit: the share of the steps that run.
            eta: how stochastic the steps are, 0 to 1, where the sampler has the choice.
            sampler: a name in ``SAMPLERS``; None: the model's own.
            timing: what the model's pipeline passes to ``set_timesteps``: its own sigmas, its shift for the picture's
                size. None: ``steps`` timesteps as the scheduler spaces them.

        Raises:
            ModelError: the schedule is shifted by the picture's size, and ``timing`` does not say how far.
        """
        name = sampler or own_sampler(self.config)[0]
        entries = self.entries(name)
        timing = {key: value for key, value in (timing or {"num_inference_steps": steps}).items() if value is not None}
        if self.is_flow and entries.get("use_dynamic_shifting") and "mu" not in timing:
            raise ModelError("this model's scheduler has use_dynamic_shifting, but no pipeline: set a fixed shift")
        if name in ("dpmpp_2m", "dpmpp_2m_sde", "unipc"):
            return MultistepRun(entries, timing, strength, stochastic=is_stochastic(name, eta), scale=self._noise_scale)
        if name == "flow_euler":
            return _flow_run(entries, timing, strength, eta, self._noise_scale)
        return _diffusion_run(name, entries, len_of(timing), strength, eta)


def _flow_run(
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


def _diffusion_run(name: str, entries: dict[str, Any], steps: int, strength: float, eta: float) -> SingleStepRun:
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
