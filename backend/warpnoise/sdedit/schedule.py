"""Schedulers of diffusers, seen the way SDEdit needs them: where to start, how to mix, how to step.

Two kinds, told apart by the class that ``scheduler_config.json`` names:

- diffusion: x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) n, a_t being ``alphas_cumprod``. Whatever sampler the model came with
  (DDPM, PNDM, DPM-Solver, ...), it is run as DDIM (Song et al. 2021), whose eta goes from deterministic to DDPM and
  whose noise can be given from outside. The training's betas and prediction type are the model's and are kept.
- flow matching: x_s = (1 - s) x_0 + s n (Lipman et al. 2023), Euler steps.
"""

from __future__ import annotations

import inspect
import math
from typing import Any, Protocol

import torch
from diffusers import DDIMScheduler, FlowMatchEulerDiscreteScheduler

from warpnoise.errors import ModelError
from warpnoise.sdedit.folder import FLOW_SCHEDULER


def steps_to_run(steps: int, strength: float) -> int:
    """How many of the schedule's ``steps`` SDEdit runs from ``strength``: the nearest whole number, at least one."""
    return max(1, math.floor(steps * strength + 0.5))


def _construct(kind: Any, config: dict[str, Any]) -> Any:
    """A scheduler out of the entries that it knows; the others belong to the sampler that the model came with."""
    known = inspect.signature(kind.__init__).parameters
    return kind(**{key: value for key, value in config.items() if key in known and key != "self"})


class Run(Protocol):
    """One edit's way from the start step to the clean image."""

    timesteps: torch.Tensor
    """(n,) on the CPU, falling; what the model is told."""

    def start(self, x_0: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """The clean image x_0 and the noise, mixed as they are at the first timestep. All (b, c, h, w) float32."""

    def is_stochastic(self, index: int) -> bool:
        """Whether step ``index`` adds noise."""

    def step(self, index: int, output: torch.Tensor, x: torch.Tensor, noise: torch.Tensor | None) -> torch.Tensor:
        """From x at ``timesteps[index]`` to x at the next one (after the last: the image), given the model's output."""


class DiffusionRun:
    """SDEdit's start (Meng et al. 2021, Algorithm 1) and DDIM's step (Song et al. 2021, equations 12 and 16).

    Noise is added at every step but the last when eta > 0: what the last step added would stay in the picture.

    DDIMScheduler takes it that the next timestep is T // steps below, which is wrong by one where steps is no divisor
    of T; after the last step up to 3% of the noise would be left. So the steps run in a schedule that consists of the
    timesteps themselves (respacing: Nichol & Dhariwal 2021, section 4), where the next one is the next.
    """

    def __init__(self, config: dict[str, Any], steps: int, strength: float, eta: float) -> None:
        scheduler = _construct(DDIMScheduler, config)
        scheduler.set_timesteps(steps)
        self._eta = eta
        self.timesteps: torch.Tensor = scheduler.timesteps[-steps_to_run(steps, strength) :]
        self._respaced = _respace(scheduler, config, self.timesteps)

    def start(self, x_0: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        x: torch.Tensor = self._respaced.add_noise(x_0, noise, self._respaced.timesteps[:1])
        return x

    def is_stochastic(self, index: int) -> bool:
        return self._eta > 0 and index < len(self.timesteps) - 1

    def step(self, index: int, output: torch.Tensor, x: torch.Tensor, noise: torch.Tensor | None) -> torch.Tensor:
        eta = 0.0 if noise is None else self._eta
        t = self._respaced.timesteps[index]
        x, *_ = self._respaced.step(output, t, x, eta=eta, variance_noise=noise, return_dict=False)
        return x


def _respace(scheduler: Any, config: dict[str, Any], timesteps: torch.Tensor) -> Any:
    """A DDIMScheduler whose timesteps n - 1, ..., 0 have the ``alphas_cumprod`` of ``timesteps`` (falling)."""
    alphas = scheduler.alphas_cumprod[timesteps.flip(0)].double()
    betas = 1 - alphas / torch.cat([alphas.new_ones(1), alphas[:-1]])
    changes = {
        "trained_betas": betas.tolist(),
        "num_train_timesteps": len(timesteps),
        "timestep_spacing": "leading",
        "steps_offset": 0,
        "rescale_betas_zero_snr": False,
    }
    respaced = _construct(DDIMScheduler, {**config, **changes})
    respaced.final_alpha_cumprod = scheduler.final_alpha_cumprod
    respaced.set_timesteps(len(timesteps))
    return respaced


class FlowRun:
    """Linear mixing and Euler steps along the velocity n - x_0 that the model predicts."""

    def __init__(self, config: dict[str, Any], steps: int, strength: float) -> None:
        self._scheduler: Any = _construct(FlowMatchEulerDiscreteScheduler, config)
        self._scheduler.set_timesteps(steps)
        begin = steps - steps_to_run(steps, strength)
        self._scheduler.set_begin_index(begin)
        self.timesteps: torch.Tensor = self._scheduler.timesteps[begin:]

    def start(self, x_0: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        x: torch.Tensor = self._scheduler.scale_noise(x_0, self.timesteps[:1], noise)
        return x

    def is_stochastic(self, index: int) -> bool:
        return False

    def step(self, index: int, output: torch.Tensor, x: torch.Tensor, noise: torch.Tensor | None) -> torch.Tensor:
        x, *_ = self._scheduler.step(output, self.timesteps[index], x, return_dict=False)
        return x


class Schedule:
    """A model's schedule, from its scheduler's configuration. ``clip``: whether predicted images lie in [-1, 1]."""

    def __init__(self, config: dict[str, Any], *, clip: bool) -> None:
        self._is_flow = config.get("_class_name") == FLOW_SCHEDULER
        entries = dict(config)
        if self._is_flow:
            if entries.get("use_dynamic_shifting"):
                raise ModelError(
                    "this model's scheduler has use_dynamic_shifting, which is not supported: set a fixed shift"
                )
            self._entries = {**entries, "stochastic_sampling": False}
            return
        if not clip:
            # Latents have no range to be clipped to, and a scheduler that does not clip says nothing about it.
            entries.update(clip_sample=False, thresholding=False)
        if entries.get("timestep_spacing") == "linspace":
            # It ends at timestep 0, where nothing is left to do, and has DDIM start there if it has but one step.
            entries["timestep_spacing"] = "trailing"
        self._entries = entries

    def run(self, steps: int, strength: float, eta: float) -> Run:
        """A new run; it belongs to one edit, as diffusers' schedulers carry state."""
        if self._is_flow:
            return FlowRun(self._entries, steps, strength)
        return DiffusionRun(self._entries, steps, strength, eta)


def noise_maps(steps: int, strength: float, eta: float) -> int:
    """How many noise maps a run reads: the start's, and with eta > 0 one more for every step but the last."""
    return steps_to_run(steps, strength) if eta > 0 else 1
