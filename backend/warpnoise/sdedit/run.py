"""A sampler's trajectory: the path of one edit through a noise schedule, and the model's predictions on it.

`SingleStepRun` writes the steps out. `MultistepRun` uses the solvers of diffusers that need earlier predictions:
DPM-Solver++ (2M), its SDE version, and UniPC.
"""

from __future__ import annotations

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import diffusers
import torch

from warpnoise.sdedit.samplers import steps_to_run

Split = Callable[[torch.Tensor, torch.Tensor, float, float], tuple[torch.Tensor, torch.Tensor]]
"""(x, output, alpha, sigma) -> (x_0, e)."""


@dataclass(frozen=True)
class Prediction:
    """What a model predicts. ``slope``: (alpha, sigma) -> the derivative of the output with respect to the predicted
    x_0, for constant x."""

    split: Split
    slope: Callable[[float, float], float]


PREDICTIONS: dict[str, Prediction] = {
    "epsilon": Prediction(lambda x, e, a, s: ((x - s * e) / a, e), lambda a, s: -a / s),
    "sample": Prediction(lambda x, x_0, a, s: (x_0, (x - a * x_0) / s), lambda a, s: 1.0),
    # v = alpha e - sigma x_0 (Salimans & Ho 2022, appendix D)
    "v_prediction": Prediction(lambda x, v, a, s: (a * x - s * v, a * v + s * x), lambda a, s: -1 / s),
    # v = e - x_0
    "flow_prediction": Prediction(lambda x, v, a, s: (x - s * v, x + a * v), lambda a, s: -1 / s),
}
"""By the ``prediction_type`` of a scheduler's configuration."""


class Run(ABC):
    """One edit's trajectory from the start step to the clean image. x always has the network's scale."""

    timesteps: torch.Tensor
    """(n,) on the CPU, falling; the model's input."""

    def __init__(self, timesteps: torch.Tensor, prediction: Prediction, noise_scale: float = 1.0) -> None:
        """``noise_scale``: standard deviation of the model's noise."""
        self.timesteps, self._prediction, self._noise_scale = timesteps, prediction, noise_scale

    @abstractmethod
    def start(self, x_0: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """The clean image x_0 and the noise, mixed to the level of the first timestep. All (b, c, h, w) float32."""

    @abstractmethod
    def is_stochastic(self, index: int) -> bool:
        """Whether step ``index`` adds noise. The last never does: its noise would remain in the picture."""

    @abstractmethod
    def step(self, index: int, output: torch.Tensor, x: torch.Tensor, noise: torch.Tensor | None) -> torch.Tensor:
        """Moves x from ``timesteps[index]`` to the next one, or after the last to the image, by the model's output."""

    def picture(self, index: int, output: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """The picture x_0 that the model's output predicts at step ``index``, before any clipping."""
        return self._prediction.split(x, output, *self._mixed(index))[0]

    def redirected(self, index: int, output: torch.Tensor, x: torch.Tensor, change: torch.Tensor) -> torch.Tensor:
        """The output that predicts x_0 + ``change``."""
        return output + self._prediction.slope(*self._mixed(index)) * change

    @abstractmethod
    def _mixed(self, index: int) -> tuple[float, float]:
        """alpha and sigma at step ``index``."""


class SingleStepRun(Run):
    """Samplers that need one prediction a step: DDIM, DDPM, Euler, ancestral Euler, LCM, TCD, flow-matching Euler.

    Each step splits x into the picture and the noise that the model predicts, and mixes these again for the next
    timestep, with a part of the noise replaced by new noise z (Song et al. 2021, equation 12, in Kingma et al. 2021's
    notation):

        x_t = alpha_t x_0 + sigma_t e        x_s = alpha_s x_0 + sqrt(sigma_s^2 - tau_s^2) e + tau_s z

    The samplers differ in the timesteps, and in tau. Diffusion preserves variance: alpha^2 + sigma^2 = 1; alpha^2 is
    ``alphas_cumprod``. Flow matching (Lipman et al. 2023) mixes linearly: alpha + sigma = 1.

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


def construct(kind: Any, entries: dict[str, Any]) -> Any:
    """A scheduler from the entries that it knows. The others belong to the model's own sampler."""
    known = inspect.signature(kind.__init__).parameters
    return kind(**{key: value for key, value in entries.items() if key in known and key != "self"})


def len_of(timing: dict[str, Any]) -> int:
    """The number of steps that the arguments of a ``set_timesteps`` request."""
    for key in ("sigmas", "timesteps"):
        if key in timing:
            return len(timing[key])
    return int(timing["num_inference_steps"])


class MultistepRun(Run):
    """A scheduler of diffusers that begins late. Its x has the network's scale, for diffusion and flow alike."""

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
