"""The schedules against closed forms: what is mixed, where it starts, what each step does."""

from __future__ import annotations

import json
import math
from itertools import product

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    PNDMScheduler,
)
from diffusers.schedulers.scheduling_utils import SchedulerMixin
from warpnoise.errors import ModelError
from warpnoise.sdedit.samplers import noise_maps, steps_to_run
from warpnoise.sdedit.schedule import Schedule

X_0 = torch.linspace(-0.9, 0.9, 48).reshape(1, 3, 4, 4)
NOISE = torch.randn((1, 3, 4, 4), generator=torch.Generator().manual_seed(3))
BETAS = np.linspace(0.0001, 0.02, 1000)
ALPHAS = torch.from_numpy(np.cumprod(1 - BETAS)).float()


def schedule(scheduler: SchedulerMixin, clip: bool = True) -> Schedule:
    return Schedule(json.loads(scheduler.to_json_string()), clip=clip)


@pytest.mark.parametrize(
    ("steps", "strength", "expected"),
    [(20, 0.5, 10), (20, 1.0, 20), (20, 0.01, 1), (1, 1.0, 1), (100, 0.29, 29), (7, 0.5, 4), (30, 0.7, 21)],
)
def test_strength_is_the_share_of_the_steps_that_run(steps: int, strength: float, expected: int) -> None:
    assert steps_to_run(steps, strength) == expected
    assert len(schedule(DDIMScheduler()).run(steps, strength, 0.0).timesteps) == expected


def test_timesteps_are_the_end_of_the_schedulers_own() -> None:
    run = schedule(DDIMScheduler()).run(20, 0.25, 0.0)
    assert run.timesteps.tolist() == [200, 150, 100, 50, 0]


@pytest.mark.parametrize("strength", [0.2, 0.6, 1.0])
def test_start_is_the_closed_form(strength: float) -> None:
    run = schedule(DDIMScheduler()).run(20, strength, 0.0)
    a = ALPHAS[run.timesteps[0]]
    torch.testing.assert_close(run.start(X_0, NOISE), a.sqrt() * X_0 + (1 - a).sqrt() * NOISE)


def prediction(kind: str, t: int) -> torch.Tensor:
    """What a model that knows X_0 and NOISE predicts at t."""
    a = ALPHAS[t]
    return {"epsilon": NOISE, "sample": X_0, "v_prediction": a.sqrt() * NOISE - (1 - a).sqrt() * X_0}[kind]


@pytest.mark.parametrize(
    ("scheduler", "kind"),
    [
        *product([DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler], ["epsilon", "sample", "v_prediction"]),
        *product([PNDMScheduler], ["epsilon", "v_prediction"]),  # PNDM has no "sample"
    ],
)
def test_a_perfect_model_leads_back_to_the_image(scheduler: type, kind: str) -> None:
    run = schedule(scheduler(prediction_type=kind, beta_start=0.0001, beta_end=0.02)).run(20, 0.8, 0.0)
    x = run.start(X_0, NOISE)
    for index, t in enumerate(run.timesteps.tolist()):
        torch.testing.assert_close(x, ALPHAS[t].sqrt() * X_0 + (1 - ALPHAS[t]).sqrt() * NOISE, atol=1e-4, rtol=0)
        x = run.step(index, prediction(kind, t), x, None)
    # PNDM's default ends at the first alpha instead of 1 (set_alpha_to_one), which leaves 0.01 of the noise.
    torch.testing.assert_close(x, X_0, atol=0.05 if scheduler is PNDMScheduler else 1e-4, rtol=0)


@pytest.mark.parametrize("spacing", ["leading", "trailing", "linspace"])
@pytest.mark.parametrize("steps", [1, 7, 15, 30, 333, 1000])
def test_no_noise_is_left_whatever_the_number_of_steps(spacing: str, steps: int) -> None:
    for strength in (0.3, 1.0):
        run = schedule(DDIMScheduler(timestep_spacing=spacing)).run(steps, strength, 0.0)
        x = run.start(X_0, NOISE)
        for index, t in enumerate(run.timesteps.tolist()):
            torch.testing.assert_close(x, ALPHAS[t].sqrt() * X_0 + (1 - ALPHAS[t]).sqrt() * NOISE, atol=1e-3, rtol=0)
            x = run.step(index, NOISE, x, None)
        torch.testing.assert_close(x, X_0, atol=1e-3, rtol=0)


def test_the_last_alpha_is_the_models_own() -> None:
    """Stable Diffusion ends at the first alpha of its training (set_alpha_to_one: false)."""
    run = schedule(DDIMScheduler(set_alpha_to_one=False)).run(10, 0.2, 0.0)
    x = run.start(X_0, NOISE)
    for index in range(2):
        x = run.step(index, NOISE, x, None)
    torch.testing.assert_close(x, ALPHAS[0].sqrt() * X_0 + (1 - ALPHAS[0]).sqrt() * NOISE, atol=1e-4, rtol=0)


def test_a_stochastic_step_is_the_closed_form() -> None:
    """x' = sqrt(a') x_0 + sqrt(1 - a' - s^2) e + s z, s = eta sqrt((1 - a') / (1 - a)) sqrt(1 - a / a')."""
    eta = 0.7
    run = schedule(DDIMScheduler()).run(20, 0.5, eta)
    t, after = run.timesteps[:2].tolist()
    a, b = ALPHAS[t], ALPHAS[after]
    s = eta * ((1 - b) / (1 - a)).sqrt() * (1 - a / b).sqrt()
    z = torch.randn(NOISE.shape, generator=torch.Generator().manual_seed(4))
    x = run.step(0, NOISE, run.start(X_0, NOISE), z)
    torch.testing.assert_close(x, b.sqrt() * X_0 + (1 - b - s**2).sqrt() * NOISE + s * z, atol=1e-5, rtol=0)


def test_noise_is_added_at_every_step_but_the_last() -> None:
    run = schedule(DDIMScheduler()).run(10, 0.5, 1.0)
    assert [run.is_stochastic(index) for index in range(5)] == [True] * 4 + [False]
    assert noise_maps(10, 0.5, True) == 1 + 4
    assert noise_maps(10, 0.5, False) == 1
    assert not any(schedule(DDIMScheduler()).run(10, 0.5, 0.0).is_stochastic(index) for index in range(5))


def test_eta_one_keeps_the_variance_of_pure_noise() -> None:
    """With a model that finds nothing (x_0 = 0), every x_t is noise of variance 1 - a_t."""
    run = schedule(DDIMScheduler(prediction_type="sample")).run(10, 1.0, 1.0)
    random = torch.Generator().manual_seed(5)
    nothing = torch.zeros(1, 3, 256, 256)
    x = run.start(nothing, torch.randn(nothing.shape, generator=random))
    for index, t in enumerate(run.timesteps.tolist()[:-1]):
        assert x.var().item() == pytest.approx(1 - ALPHAS[t].item(), rel=0.02)
        x = run.step(index, nothing, x, torch.randn(nothing.shape, generator=random))


def test_images_are_clipped_and_latents_are_not() -> None:
    far = torch.full((1, 3, 4, 4), 3.0)
    for clip, expected in ((True, 1.0), (False, 3.0)):
        run = schedule(PNDMScheduler(prediction_type="epsilon", set_alpha_to_one=True), clip=clip).run(1, 1.0, 0.0)
        x = run.step(0, NOISE, run.start(far, NOISE), None)
        torch.testing.assert_close(x, torch.full_like(x, expected), atol=1e-4, rtol=0)


def test_timesteps_of_linspace_become_trailing_ones() -> None:
    run = schedule(DDIMScheduler(timestep_spacing="linspace")).run(4, 1.0, 0.0)
    assert run.timesteps.tolist() == [999, 749, 499, 249]


def test_flow_matching_mixes_linearly_and_a_perfect_velocity_leads_back() -> None:
    run = schedule(FlowMatchEulerDiscreteScheduler(shift=3.0)).run(10, 0.6, 0.0)
    assert len(run.timesteps) == 6
    s = run.timesteps[0] / 1000
    x = run.start(X_0, NOISE)
    torch.testing.assert_close(x, (1 - s) * X_0 + s * NOISE)
    for index in range(6):
        x = run.step(index, NOISE - X_0, x, None)
    torch.testing.assert_close(x, X_0, atol=1e-5, rtol=0)


def test_shifting_by_size_takes_a_pipeline_that_knows_the_shift() -> None:
    dynamic = schedule(FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True))
    with pytest.raises(ModelError, match="use_dynamic_shifting"):
        dynamic.run(10, 0.6, 0.0)
    run = dynamic.run(10, 0.6, 0.0, timing={"sigmas": [1 - k / 10 for k in range(10)], "mu": 1.0})
    assert run.timesteps[0].item() == pytest.approx(1000 * math.e / (math.e + 1 / 0.6 - 1))


def test_a_stochastic_flow_step_is_the_closed_form() -> None:
    """Of the noise at the next timestep the share eta is fresh, the variance stays."""
    eta = 0.6
    run = schedule(FlowMatchEulerDiscreteScheduler()).run(10, 0.6, eta)
    s = run.timesteps[1] / 1000
    z = torch.randn(NOISE.shape, generator=torch.Generator().manual_seed(4))
    x = run.step(0, NOISE - X_0, run.start(X_0, NOISE), z)
    torch.testing.assert_close(x, (1 - s) * X_0 + s * ((1 - eta**2) ** 0.5 * NOISE + eta * z), atol=1e-5, rtol=0)
