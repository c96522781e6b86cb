"""Higher-order solvers of diffusers, which use earlier predictions: DPM-Solver++ (2M), its SDE version, and UniPC."""

from __future__ import annotations

from typing import Any

import diffusers
import torch

from warpnoise.sdedit.run import PREDICTIONS, Run, construct, len_of
from warpnoise.sdedit.samplers import steps_to_run


class MultistepRun(Run):
    """A scheduler of diffusers that begins late. Its x is what the network is shown, in diffusion and flow alike."""

    def __init__(
        self, entries: dict[str, Any], timing: dict[str, Any], strength: float, *, stochastic: bool, scale: float
    ) -> None:
        self._scheduler = scheduler = construct(getattr(diffusers, entries["_class_name"]), entries)
        count = len_of(timing)
        scheduler.set_timesteps(count, **({"mu": timing["mu"]} if "mu" in timing else {}))
        begin = count - steps_to_run(count, strength)
        scheduler.set_begin_index(begin)
        self._begin, self._stochastic = begin, stochastic
        super().__init__(scheduler.timesteps[begin:], PREDICTIONS[scheduler.config.prediction_type], scale)

    def start(self, x_0: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        x: torch.Tensor = self._scheduler.add_noise(x_0, self._noise_scale * noise, self.timesteps[:1])
        return x

    def is_stochastic(self, index: int) -> bool:
        return self._stochastic and index < len(self.timesteps) - 1

    def _mixed(self, index: int) -> tuple[float, float]:
        alpha, sigma = self._scheduler._sigma_to_alpha_sigma_t(self._scheduler.sigmas[self._begin + index])
        return float(alpha), float(sigma)

    def step(self, index: int, output: torch.Tensor, x: torch.Tensor, noise: torch.Tensor | None) -> torch.Tensor:
        # The last step's noise has the factor 0; without one, the scheduler would draw some.
        own_noise = {}
        if self._stochastic:
            own_noise["variance_noise"] = torch.zeros_like(x) if noise is None else self._noise_scale * noise
        x, *_ = self._scheduler.step(output, self.timesteps[index], x, return_dict=False, **own_noise)
        return x
