"""Predictions that are drawn toward a target."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from warpnoise.job import Settings
from warpnoise.sdedit import load_model
from warpnoise.sdedit.editor import Editor
from warpnoise.sdedit.pull import Pull, redirected
from warpnoise.sdedit.samplers import SAMPLERS
from warpnoise.sdedit.schedule import Schedule

from ..tiny_models import write_styled_model

SIZE = 16
DIFFUSION = {"_class_name": "DDIMScheduler", "num_train_timesteps": 1000, "beta_schedule": "scaled_linear"}
FLOW = {"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, "shift": 1.0}


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Editor:
    return load_model(str(write_styled_model(tmp_path_factory.mktemp("pull") / "model")), "cpu")


def edit(editor: Editor, pull: Pull | None, steps: int = 8) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    image, noise = (make((1, 3, SIZE, SIZE), generator=generator) for make in (torch.rand, torch.randn))
    return editor.edit(image, lambda index: noise, Settings(steps=steps), **({} if pull is None else {"pull": pull}))


def constant(value: float, weight: float) -> Pull:
    return Pull(torch.full((1, 3, SIZE, SIZE), value), torch.full((1, 1, SIZE, SIZE), weight))


@pytest.mark.parametrize("sampler", [name for name in SAMPLERS if "diffusion" in SAMPLERS[name].mixing])
@pytest.mark.parametrize("prediction", ["epsilon", "sample", "v_prediction"])
def test_the_output_predicts_the_changed_picture(sampler: str, prediction: str) -> None:
    check_redirected(Schedule({**DIFFUSION, "prediction_type": prediction}, clip=False), sampler)


@pytest.mark.parametrize("sampler", [name for name in SAMPLERS if "flow" in SAMPLERS[name].mixing])
def test_the_output_of_a_flow_model_predicts_the_changed_picture(sampler: str) -> None:
    check_redirected(Schedule(FLOW, clip=False), sampler)


def check_redirected(schedule: Schedule, sampler: str) -> None:
    run = schedule.run(8, 0.5, 0.0, sampler)
    generator = torch.Generator().manual_seed(1)
    x, output, change = (torch.randn((1, 4, 3, 3), generator=generator) for _ in range(3))
    for index in range(len(run.timesteps)):
        moved = run.redirected(index, output, x, change)
        expected = run.picture(index, output, x) + change
        torch.testing.assert_close(run.picture(index, moved, x), expected, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "unipc", "ddim"])
def test_the_predicted_picture_is_what_the_sampler_takes_for_it(sampler: str) -> None:
    """In the last step the sampler goes to its prediction."""
    run = Schedule(DIFFUSION, clip=False).run(4, 0.25, 0.0, sampler)
    generator = torch.Generator().manual_seed(1)
    x, output = (torch.randn((1, 4, 3, 3), generator=generator) for _ in range(2))
    predicted = run.picture(0, output, x)
    torch.testing.assert_close(run.step(0, output, x, None), predicted, atol=2e-2, rtol=1e-2)


def test_only_the_last_steps_are_drawn() -> None:
    run = Schedule(DIFFUSION, clip=False).run(8, 1.0, 0.0, "ddim")
    x = output = torch.ones((1, 4, 3, 3))
    moved = []
    for index in range(8):
        drawn = redirected(run, index, output, x, lambda picture: torch.ones_like(picture), steps=3)
        moved.append(float((run.picture(index, drawn, x) - run.picture(index, output, x)).mean()))
    assert moved == pytest.approx([0, 0, 0, 0, 0, 1, 1, 1], abs=1e-4)


def test_no_weight_changes_nothing_and_little_weight_little(editor: Editor) -> None:
    plain = edit(editor, None)
    torch.testing.assert_close(edit(editor, constant(0.9, 0.0)), plain, atol=1e-6, rtol=0)
    drawn = [float((edit(editor, constant(1.0, weight)) - plain).abs().mean()) for weight in (0.2, 1.0)]
    assert 0 < drawn[0] < drawn[1]


def test_a_frame_is_not_drawn_where_the_weight_is_zero(editor: Editor) -> None:
    picture = torch.rand((1, 3, SIZE, SIZE), generator=torch.Generator().manual_seed(1)) * 2 - 1
    weight = torch.zeros((1, 1, SIZE, SIZE))
    weight[..., :8] = 1
    change = Pull(torch.ones((1, 3, SIZE, SIZE)), weight).change(picture)
    assert (change[..., 8:] == 0).all()
    assert (change[..., :8] > 0).any()


def test_full_weight_gives_the_target_itself() -> None:
    picture = torch.rand((1, 3, SIZE, SIZE), generator=torch.Generator().manual_seed(1)) * 2 - 1
    torch.testing.assert_close(picture + constant(0.9, 1.0).change(picture), torch.full_like(picture, 0.8))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sd21", "flux", "prx"])
def test_latent_models_are_drawn_too(tiny: Callable[[str], Path], name: str) -> None:
    """In the last steps but one; what the pipeline lays out, tokens or channels, comes back as a picture."""
    editor = load_model(tiny(name), "cpu", "float32")
    settings = Settings(steps=4, strength=0.75, prompt="a house")
    noise = torch.randn((1, *editor.noise_shape(SIZE, SIZE, settings)), generator=torch.Generator().manual_seed(3))
    image = torch.rand((1, 3, SIZE, SIZE), generator=torch.Generator().manual_seed(4))

    def run(weight: float) -> torch.Tensor:
        return editor.edit(image, lambda index: noise, settings, pull=constant(1.0, weight))

    plain = editor.edit(image, lambda index: noise, settings)
    torch.testing.assert_close(run(0.0), plain, atol=1e-5, rtol=0)
    drawn = [float((run(weight) - plain).abs().mean()) for weight in (0.3, 1.0)]
    assert 0 < drawn[0] < drawn[1]
