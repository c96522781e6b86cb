"""The samplers, by name. They can start in the middle of a schedule and take their noise from outside.

This module imports neither PyTorch nor diffusers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

FLOW_SCHEDULER = "FlowMatchEulerDiscreteScheduler"


@dataclass(frozen=True)
class Sampler:
    """``description``: one sentence, for menus. ``mixing``: how image and noise mix in the models that it samples:
    "diffusion" (variance preserving), "flow" (linear), or either. ``noise``: whether its steps add noise: never, as
    much as ``eta`` says, or always. ``scheduler``: the class of diffusers whose timesteps, and for solvers of higher
    order whose steps, it takes; ``options``: entries of that scheduler's configuration. ``most_steps``: of the whole
    schedule.
    """

    label: str
    description: str
    scheduler: str
    mixing: tuple[str, ...]
    noise: Literal["never", "eta", "always"]
    options: dict[str, Any] = field(default_factory=dict)
    most_steps: int | None = None


_DIFFUSION, _FLOW = ("diffusion",), ("flow",)
_DISTILLED_STEPS = 50
"""``original_inference_steps``: the number of timesteps that consistency models know."""

SAMPLERS: dict[str, Sampler] = {
    "ddim": Sampler("DDIM", "Deterministic at eta 0, like DDPM at eta 1.", "DDIMScheduler", _DIFFUSION, "eta"),
    "euler": Sampler("Euler", "First order, deterministic.", "EulerDiscreteScheduler", _DIFFUSION, "never"),
    "euler_ancestral": Sampler(
        "Euler Ancestral",
        "First order. Each step adds new warped noise.",
        "EulerAncestralDiscreteScheduler",
        _DIFFUSION,
        "always",
    ),
    "dpmpp_2m": Sampler(
        "DPM++ 2M",
        "Second order, deterministic. Good from about ten steps.",
        "DPMSolverMultistepScheduler",
        _DIFFUSION + _FLOW,
        "never",
        {"algorithm_type": "dpmsolver++", "solver_order": 2, "solver_type": "midpoint"},
    ),
    "dpmpp_2m_sde": Sampler(
        "DPM++ 2M SDE",
        "Second order. Each step adds new warped noise.",
        "DPMSolverMultistepScheduler",
        _DIFFUSION + _FLOW,
        "always",
        {"algorithm_type": "sde-dpmsolver++", "solver_order": 2, "solver_type": "midpoint"},
    ),
    "unipc": Sampler(
        "UniPC",
        "Second order with a corrector, deterministic. Good at few steps.",
        "UniPCMultistepScheduler",
        _DIFFUSION + _FLOW,
        "never",
    ),
    "lcm": Sampler(
        "LCM",
        "For latent consistency models. Few steps, each with new noise.",
        "LCMScheduler",
        _DIFFUSION,
        "always",
        most_steps=_DISTILLED_STEPS,
    ),
    "tcd": Sampler(
        "TCD",
        "For trajectory consistency models. Few steps, for which eta sets the share of new noise.",
        "TCDScheduler",
        _DIFFUSION,
        "eta",
        most_steps=_DISTILLED_STEPS,
    ),
    "flow_euler": Sampler(
        "Flow-Matching Euler",
        "For flow-matching models. Stochastic if eta is above 0.",
        FLOW_SCHEDULER,
        _FLOW,
        "eta",
    ),
}

_OWN = {
    **{sampler.scheduler: name for name, sampler in SAMPLERS.items()},
    **dict.fromkeys(("DDIMParallelScheduler", "DDPMScheduler", "DDPMParallelScheduler"), "ddim"),
}
_NEAREST = {
    "PNDMScheduler": "ddim",
    "LMSDiscreteScheduler": "euler",
    "HeunDiscreteScheduler": "euler",
    "KDPM2DiscreteScheduler": "euler",
    "KDPM2AncestralDiscreteScheduler": "euler_ancestral",
    "DEISMultistepScheduler": "dpmpp_2m",
    "DPMSolverSinglestepScheduler": "dpmpp_2m",
    "FlowMatchHeunDiscreteScheduler": "flow_euler",
}
"""Samplers of the same schedules that cannot start late or take noise from outside, and their replacements."""
_SOLVER = "DPMSolverMultistepScheduler"
"""Two samplers have this class, which its configuration tells apart."""

SCHEDULERS = frozenset({*_OWN, *_NEAREST})
"""The supported classes of noise schedules."""


def is_flow(scheduler: dict[str, Any]) -> bool:
    """Whether image and noise mix linearly (flow matching), by a scheduler's configuration."""
    return str(scheduler.get("_class_name")).startswith("FlowMatch") or bool(scheduler.get("use_flow_sigmas"))


def own_sampler(scheduler: dict[str, Any]) -> tuple[str, str | None]:
    """The sampler for a scheduler's configuration, and the class that it replaces (None: it is the model's own)."""
    name = str(scheduler.get("_class_name"))
    if name == _SOLVER:
        kind, order = str(scheduler.get("algorithm_type", "dpmsolver++")), scheduler.get("solver_order", 2)
        exact = kind.endswith("++") and order == 2 and scheduler.get("solver_type", "midpoint") == "midpoint"
        sampler = "dpmpp_2m_sde" if kind.startswith("sde") else "dpmpp_2m"
        return sampler, None if exact else f"{name} ({kind}, order {order}, {scheduler.get('solver_type')})"
    if name in _OWN:
        return _OWN[name], None
    return _NEAREST[name], name


def is_stochastic(sampler: str, eta: float) -> bool:
    """Whether the sampler's steps add noise."""
    return SAMPLERS[sampler].noise == "always" or (SAMPLERS[sampler].noise == "eta" and eta > 0)


def steps_to_run(steps: int, strength: float) -> int:
    """The number of ``steps`` that SDEdit runs at ``strength``: the nearest whole number, at least one."""
    return max(1, math.floor(steps * strength + 0.5))


def noise_maps(steps: int, strength: float, stochastic: bool) -> int:
    """The number of noise maps that a run reads: one for the start, and one for each stochastic step but the last."""
    return steps_to_run(steps, strength) if stochastic else 1
