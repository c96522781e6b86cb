"""SDEdit (Meng et al. 2021, Algorithm 1) as a scheduler that supplies the start and the noise of every step.

A diffusers pipeline asks its scheduler for timesteps, lets it scale the network's input, and calls it for each step.
`InjectedScheduler` answers these calls from our own run. It keeps x in float32, whatever precision the pipeline uses,
and checks that x has not changed between two steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from diffusers.configuration_utils import FrozenDict

from warpnoise.errors import ModelError, stop_if
from warpnoise.sdedit.pull import LATENT_STEPS, Change, redirected
from warpnoise.sdedit.run import Run


class TimestepsAsked(Exception):
    """Raised by `TimingProbe`, with the arguments that the pipeline passed to ``set_timesteps``."""

    def __init__(self, timing: dict[str, Any]) -> None:
        super().__init__(timing)
        self.timing = timing


class Stepped(NamedTuple):
    """A step's result, which pipelines read by name, by index, or unpacked."""

    prev_sample: torch.Tensor
    pred_original_sample: torch.Tensor


class _SchedulerFace:
    """The attributes that pipelines read before the first step. They inspect the signature of ``set_timesteps``."""

    order = 1
    init_noise_sigma = 1.0
    begin_index = 0

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = FrozenDict(config)

    def set_begin_index(self, begin_index: int = 0) -> None:
        """Does nothing, because our runs begin late already."""

    def scale_model_input(self, sample: torch.Tensor, timestep: Any = None) -> torch.Tensor:
        return sample  # x has the network's scale already

    def set_timesteps(
        self,
        num_inference_steps: int | None = None,
        device: Any = None,
        timesteps: Any = None,
        sigmas: Any = None,
        mu: float | None = None,
        **_: Any,
    ) -> None:
        timing = {"num_inference_steps": num_inference_steps, "timesteps": timesteps, "sigmas": sigmas, "mu": mu}
        self._begin(device, timing)

    def _begin(self, device: Any, timing: dict[str, Any]) -> None:
        raise NotImplementedError


class TimingProbe(_SchedulerFace):
    """Stops a pipeline at ``set_timesteps``, to get its own sigmas, and its shift for the picture's size."""

    def _begin(self, device: Any, timing: dict[str, Any]) -> None:
        raise TimestepsAsked(timing)


class InjectedScheduler(_SchedulerFace):
    """One edit's scheduler.

    Args:
        config: of the scheduler that it replaces; pipelines read it.
        run: the timesteps and the steps.
        x: the start, float32, in the layout of the pipeline's latents, as the following.
        noise: ``noise(k)`` for the k-th stochastic step.
        change: what to add to predicted pictures, in the last ``change_steps``.
        on_step, cancelled: as ``Editor.edit`` takes them.
    """

    def __init__(
        self,
        config: dict[str, Any],
        run: Run,
        x: torch.Tensor,
        noise: Callable[[int], torch.Tensor],
        change: Change | None = None,
        change_steps: int = LATENT_STEPS,
        on_step: Callable[[int, int], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        super().__init__(config)
        self.x = x
        self._run, self._noise, self._change, self._on_step, self._cancelled = run, noise, change, on_step, cancelled
        self._change_steps = change_steps
        self._index = self._stochastic = 0
        self._check_cancelled()

    def _begin(self, device: Any, timing: dict[str, Any]) -> None:
        self.timesteps = self._run.timesteps.to(device or "cpu")
        self.num_inference_steps = len(self.timesteps)
        self.sigmas = getattr(self._run, "sigmas", self.timesteps / int(self.config.get("num_train_timesteps", 1000)))

    def step(
        self, model_output: torch.Tensor, timestep: Any, sample: torch.Tensor, return_dict: bool = True
    ) -> Stepped:
        if not torch.equal(sample, finite(self.x).to(sample.dtype)):
            raise ModelError(
                "the model's pipeline changed the picture between two steps, so the noise could not be kept exact: "
                "this version of diffusers is not supported for this model; install the one in constraints.txt"
            )
        index, total = self._index, len(self._run.timesteps)
        noise = None
        if self._run.is_stochastic(index):
            self._stochastic += 1
            noise = self._noise(self._stochastic)
        output = model_output.float()
        if self._change is not None:
            output = redirected(self._run, index, output, self.x, self._change, self._change_steps)
        self.x = self._run.step(index, output, self.x, noise)
        self._index += 1
        if self._on_step is not None:
            _wait_for(self.x)
            self._on_step(self._index, total)
        if self._index < total:
            self._check_cancelled()
        x = self.x.to(sample.dtype)
        return Stepped(x, x)

    @property
    def finished(self) -> bool:
        """Whether every step ran."""
        return self._index == len(self._run.timesteps)

    def _check_cancelled(self) -> None:
        stop_if(self._cancelled, "cancelled between two denoising steps")


def finite(x: torch.Tensor) -> torch.Tensor:
    """Returns x. Raises ModelError if it is not finite."""
    if not torch.isfinite(x).all():
        raise ModelError(
            "the model returned infinite or undefined numbers: in half precision it may overflow (try float32 or "
            "bfloat16), otherwise its weights are damaged (download it again)"
        )
    return x


def _wait_for(x: torch.Tensor) -> None:
    """Wait for the GPU, which works asynchronously, so that steps are not reported long before they are done."""
    if x.device.type == "cuda":
        torch.cuda.current_stream(x.device).synchronize()
    elif x.device.type == "mps":
        torch.mps.synchronize()
