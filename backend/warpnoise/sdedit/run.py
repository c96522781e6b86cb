"""A sampler's trajectory: the path of one edit through a noise schedule, and the model's predictions on it.

It includes higher-order solvers of diffusers, which use earlier predictions: DPM-Solver++ (2M), its SDE version, and
UniPC.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
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
