"""One edit's way down a noise schedule, and what a model predicts on it."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

Split = Callable[[torch.Tensor, torch.Tensor, float, float], tuple[torch.Tensor, torch.Tensor]]
"""(x, output, alpha, sigma) -> (x_0, e)."""


def _from_noise(x: torch.Tensor, e: torch.Tensor, alpha: float, sigma: float) -> tuple[torch.Tensor, torch.Tensor]:
    return (x - sigma * e) / alpha, e


def _from_image(x: torch.Tensor, x_0: torch.Tensor, alpha: float, sigma: float) -> tuple[torch.Tensor, torch.Tensor]:
    return x_0, (x - alpha * x_0) / sigma


def _from_velocity(x: torch.Tensor, v: torch.Tensor, alpha: float, sigma: float) -> tuple[torch.Tensor, torch.Tensor]:
    """v = alpha e - sigma x_0 (Salimans & Ho 2022, appendix D)."""
    return alpha * x - sigma * v, alpha * v + sigma * x


def _from_flow(x: torch.Tensor, v: torch.Tensor, alpha: float, sigma: float) -> tuple[torch.Tensor, torch.Tensor]:
    """v = e - x_0."""
    return x - sigma * v, x + alpha * v


@dataclass(frozen=True)
class Prediction:
    """What a model predicts. ``slope``: (alpha, sigma) -> by how much the output changes with the x_0 that it predicts,
    x being given."""

    split: Split
    slope: Callable[[float, float], float]


PREDICTIONS: dict[str, Prediction] = {
    "epsilon": Prediction(_from_noise, lambda alpha, sigma: -alpha / sigma),
    "sample": Prediction(_from_image, lambda alpha, sigma: 1.0),
    "v_prediction": Prediction(_from_velocity, lambda alpha, sigma: -1 / sigma),
    "flow_prediction": Prediction(_from_flow, lambda alpha, sigma: -1 / sigma),
}
"""By the ``prediction_type`` of a scheduler's configuration."""


class Run(ABC):
    """One edit's way from the start step to the clean image. x is always what the network is shown."""

    timesteps: torch.Tensor
    """(n,) on the CPU, falling; what the model is told."""

    def __init__(self, timesteps: torch.Tensor, prediction: Prediction, noise_scale: float = 1.0) -> None:
        """``noise_scale``: standard deviation of the model's noise."""
        self.timesteps, self._prediction, self._noise_scale = timesteps, prediction, noise_scale

    @abstractmethod
    def start(self, x_0: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """The clean image x_0 and the noise, mixed as they are at the first timestep. All (b, c, h, w) float32."""

    @abstractmethod
    def is_stochastic(self, index: int) -> bool:
        """Whether step ``index`` adds noise. The last never does: what it added would stay in the picture."""

    @abstractmethod
    def step(self, index: int, output: torch.Tensor, x: torch.Tensor, noise: torch.Tensor | None) -> torch.Tensor:
        """From x at ``timesteps[index]`` to x at the next one (after the last: the image), given the model's output."""

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
    """A scheduler out of the entries that it knows; the others belong to the sampler that the model came with."""
    known = inspect.signature(kind.__init__).parameters
    return kind(**{key: value for key, value in entries.items() if key in known and key != "self"})


def len_of(timing: dict[str, Any]) -> int:
    """How many steps the arguments of a ``set_timesteps`` ask for."""
    for key in ("sigmas", "timesteps"):
        if key in timing:
            return len(timing[key])
    return int(timing["num_inference_steps"])
