"""Every sampler against diffusers' own scheduler of that name, from the same start, with the same noise."""

from __future__ import annotations

import importlib
import json
from typing import Any

import diffusers
import pytest
import torch
from warpnoise.sdedit.samplers import SAMPLERS, is_flow, is_stochastic, own_sampler
from warpnoise.sdedit.schedule import Schedule

STEPS = 20
CONFIG = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
X_0 = torch.linspace(-0.9, 0.9, 48).reshape(1, 3, 4, 4)
MAPS = torch.randn((STEPS + 1, 1, 3, 4, 4), generator=torch.Generator().manual_seed(3))

DIFFUSION = [name for name, sampler in SAMPLERS.items() if "diffusion" in sampler.mixing]
FLOW = [name for name, sampler in SAMPLERS.items() if "flow" in sampler.mixing]


def model(x: torch.Tensor, t: Any) -> torch.Tensor:
    """Something that bends, and knows the time."""
    return torch.tanh(0.7 * x + float(t) / 1000)


def ours(config: dict[str, Any], name: str, strength: float, eta: float) -> torch.Tensor:
    run = Schedule(config, clip=False).run(STEPS, strength, eta, name)
    x, stochastic = run.start(X_0, MAPS[0]), 0
    for index, t in enumerate(run.timesteps):
        given = None
        if run.is_stochastic(index):
            stochastic += 1
            given = MAPS[stochastic]
        x = run.step(index, model(x, t), x, given)
    return x


def theirs(
    scheduler: Any, strength: float, monkeypatch: pytest.MonkeyPatch, start: torch.Tensor | None = None, **step: Any
) -> torch.Tensor:
    draws = iter(MAPS[1:])
    module = importlib.import_module(type(scheduler).__module__)
    if hasattr(module, "randn_tensor"):
        monkeypatch.setattr(module, "randn_tensor", lambda *_, **__: next(draws))
    scheduler.set_timesteps(STEPS)
    begin = STEPS - round(STEPS * strength)
    timesteps = scheduler.timesteps[begin:]
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(begin)
    x = scheduler.add_noise(X_0, MAPS[0], timesteps[:1]) if start is None else start
    for t in timesteps:
        shown = scheduler.scale_model_input(x, t) if hasattr(scheduler, "scale_model_input") else x
        x = scheduler.step(model(shown, t), t, x, return_dict=False, **step)[0]
    return x


def config_of(scheduler: Any) -> dict[str, Any]:
    return dict(json.loads(scheduler.to_json_string()))


@pytest.mark.parametrize("strength", [0.5, 1.0])
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("name", DIFFUSION)
def test_diffusion(name: str, prediction: str, strength: float, monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = SAMPLERS[name]
    kind = getattr(diffusers, sampler.scheduler)
    scheduler = kind(**CONFIG, **sampler.options, prediction_type=prediction)
    if name == "ddim":
        scheduler = kind(**CONFIG, prediction_type=prediction, clip_sample=False)
    for eta in (0.0, 0.3, 1.0) if sampler.noise == "eta" else (0.0,):
        step = {"eta": eta} if sampler.noise == "eta" else {}
        if name == "ddim" and eta > 0:
            continue  # it draws at the last step too, which is not kept: the closed form is in test_schedule
        expected = theirs(scheduler, strength, monkeypatch, **step)
        result = ours(config_of(scheduler), name, strength, eta)
        torch.testing.assert_close(result, expected, atol=5e-5, rtol=1e-4)


@pytest.mark.parametrize("strength", [0.5, 1.0])
@pytest.mark.parametrize("name", FLOW)
def test_flow(name: str, strength: float, monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = SAMPLERS[name]
    for eta in (0.0, 1.0) if sampler.noise == "eta" else (0.0,):
        own = {"shift": 3.0, "stochastic_sampling": eta == 1}
        solver = {"flow_shift": 3.0, "use_flow_sigmas": True, "prediction_type": "flow_prediction", **sampler.options}
        scheduler = getattr(diffusers, sampler.scheduler)(**(own if name == "flow_euler" else solver))
        start = None
        if name == "flow_euler":
            scheduler.set_timesteps(STEPS)
            sigma = scheduler.sigmas[STEPS - round(STEPS * strength)]
            start = (1 - sigma) * X_0 + sigma * MAPS[0]
        expected = theirs(scheduler, strength, monkeypatch, start)
        result = ours(config_of(diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0)), name, strength, eta)
        torch.testing.assert_close(result, expected, atol=5e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["euler", "dpmpp_2m", "unipc"])
def test_karras_sigmas_are_kept(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = SAMPLERS[name]
    scheduler = getattr(diffusers, sampler.scheduler)(**CONFIG, **sampler.options, use_karras_sigmas=True)
    plain = getattr(diffusers, sampler.scheduler)(**CONFIG, **sampler.options)
    result = ours(config_of(scheduler), name, 0.5, 0.0)
    torch.testing.assert_close(result, theirs(scheduler, 0.5, monkeypatch), atol=5e-5, rtol=1e-4)
    assert not torch.allclose(result, theirs(plain, 0.5, monkeypatch), atol=1e-3)


def test_ancestral_euler_is_ddim_at_eta_one() -> None:
    """k-diffusion's sigma_up is DDPM's, in other units."""
    config = config_of(diffusers.DDIMScheduler(**CONFIG, timestep_spacing="trailing", set_alpha_to_one=True))
    torch.testing.assert_close(
        ours(config, "euler_ancestral", 0.5, 0.0), ours(config, "ddim", 0.5, 1.0), atol=1e-3, rtol=1e-3
    )


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_a_step_adds_noise_only_where_asked(name: str) -> None:
    flow = "diffusion" not in SAMPLERS[name].mixing
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler() if flow else diffusers.DDIMScheduler(**CONFIG)
    for eta in (0.0, 0.5):
        run = Schedule(config_of(scheduler), clip=False).run(STEPS, 0.5, eta, name)
        stochastic = [run.is_stochastic(index) for index in range(len(run.timesteps))]
        assert stochastic == [is_stochastic(name, eta)] * 9 + [False]


@pytest.mark.parametrize(
    ("scheduler", "expected"),
    [
        (diffusers.DDPMScheduler(), ("ddim", None)),
        (diffusers.PNDMScheduler(), ("ddim", "PNDMScheduler")),
        (diffusers.HeunDiscreteScheduler(), ("euler", "HeunDiscreteScheduler")),
        (diffusers.DPMSolverMultistepScheduler(), ("dpmpp_2m", None)),
        (diffusers.DPMSolverMultistepScheduler(algorithm_type="sde-dpmsolver++"), ("dpmpp_2m_sde", None)),
        (diffusers.UniPCMultistepScheduler(), ("unipc", None)),
        (diffusers.FlowMatchEulerDiscreteScheduler(), ("flow_euler", None)),
    ],
)
def test_the_folders_own_sampler(scheduler: Any, expected: tuple[str, str | None]) -> None:
    assert own_sampler(config_of(scheduler)) == expected


def test_flow_is_known_by_the_solvers_configuration_too() -> None:
    solver = diffusers.DPMSolverMultistepScheduler(use_flow_sigmas=True, prediction_type="flow_prediction")
    assert is_flow(config_of(solver)) and not is_flow(config_of(diffusers.DPMSolverMultistepScheduler()))
