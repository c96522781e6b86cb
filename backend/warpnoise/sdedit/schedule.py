"""A model's noise schedule for SDEdit: where to start, how to mix noise and picture, and how to step.

A ``Schedule`` holds the schedule that the model was trained with, from its scheduler's configuration. ``Schedule.run``
returns a run through it: `single_step` (DDIM and its relatives, written out) or `run.MultistepRun` (solvers of
diffusers).
"""

from __future__ import annotations

from typing import Any

from warpnoise.errors import ModelError
from warpnoise.sdedit.run import MultistepRun, Run, len_of
from warpnoise.sdedit.samplers import SAMPLERS, is_flow, is_stochastic, own_sampler
from warpnoise.sdedit.single_step import diffusion_run, flow_run


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
            return flow_run(entries, timing, strength, eta, self._noise_scale)
        return diffusion_run(name, entries, len_of(timing), strength, eta)
