"""Settings and models: what a model refuses, what replaces null, and which sampler runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from warpnoise.errors import SettingsError
from warpnoise.job import Settings
from warpnoise.sdedit import ModelFolder
from warpnoise.sdedit.check import check_settings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"style": "oil"}, "style 'oil': the model .* has ink, clay"),
        ({"steps": 2000}, "steps: expected 1 to 1000"),
    ],
)
def test_settings_that_the_model_does_not_take(styled_model: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        check_settings(ModelFolder.open(styled_model), Settings().updated(changes))


def test_steps_beyond_the_training_s_are_refused(styled_model: Path) -> None:
    with pytest.raises(SettingsError, match="steps: expected 1 to 1000"):
        check_settings(ModelFolder.open(styled_model), Settings(steps=1001))


def test_settings_of_a_plain_model(plain_model: Path) -> None:
    model = ModelFolder.open(plain_model)
    assert check_settings(model, Settings(guidance=1.0)) == ()
    assert check_settings(model, Settings(prompt="a cat")) == (
        f"The model {plain_model} takes no text: the prompt has no effect.",
    )
    with pytest.raises(SettingsError, match="has no styles: leave it out"):
        check_settings(model, Settings(style="ink"))
    with pytest.raises(SettingsError, match=r"guidance 2\.0: guidance needs a null class"):
        check_settings(model, Settings(guidance=2.0))


def test_settings_of_a_latent_model(tiny: Callable[[str], Path]) -> None:
    model = ModelFolder.open(tiny("sd21"))
    assert check_settings(model, Settings(prompt="a cat", negative_prompt="a dog")) == ()
    assert check_settings(model, Settings(negative_prompt="a dog", guidance=1.0)) == (
        "The negative prompt has no effect with a guidance of 1.",
    )
    with pytest.raises(SettingsError, match="has no styles: say it in the prompt"):
        check_settings(model, Settings(style="ink"))
    assert check_settings(ModelFolder.open(tiny("flux")), Settings(negative_prompt="a dog")) == (
        "FLUX.1 takes no negative prompt: it has no effect.",
    )


def test_samplers_that_a_model_has_not(tiny: Callable[[str], Path]) -> None:
    diffusion, flow = ModelFolder.open(tiny("sdxl")), ModelFolder.open(tiny("flux"))
    with pytest.raises(SettingsError, match=r"'flow_euler': the model .* is a diffusion model and takes ddim, euler"):
        check_settings(diffusion, Settings(sampler="flow_euler"))
    with pytest.raises(SettingsError, match=r"'euler': the model .* takes dpmpp_2m, dpmpp_2m_sde, unipc, flow_euler"):
        check_settings(flow, Settings(sampler="euler"))
    with pytest.raises(SettingsError, match="steps: expected 1 to 50 with the sampler LCM, got 60"):
        check_settings(diffusion, Settings(sampler="lcm", steps=60))


def test_a_replaced_sampler_is_reported(tiny: Callable[[str], Path]) -> None:
    model = ModelFolder.open(tiny("sd15"))
    assert check_settings(model, Settings()) == (
        "The model's own sampler, PNDMScheduler, cannot start from a frame with noise from outside: DDIM is used.",
    )
    assert check_settings(model, Settings(sampler="ddim")) == ()
    assert check_settings(model, Settings(sampler="euler", eta=0.5)) == (
        "Eta has no effect: the sampler Euler never adds noise.",
    )


@pytest.mark.parametrize(
    ("name", "sampler", "steps", "guidance"),
    [
        ("sd15", "ddim", 20, 7.5),
        ("sdxl", "euler", 20, 5.0),
        ("sdxl_turbo", "euler_ancestral", 4, 1.0),
        ("lcm", "lcm", 4, 8.5),
        ("sdxl_lcm", "lcm", 4, 1.0),
        ("flux", "flow_euler", 28, 3.5),
        ("flux_schnell", "flow_euler", 4, 1.0),
        ("sana", "dpmpp_2m", 20, 4.5),
    ],
)
def test_what_suits_a_model(tiny: Callable[[str], Path], name: str, sampler: str, steps: int, guidance: float) -> None:
    model = ModelFolder.open(tiny(name))
    assert (model.sampler, model.steps_for(Settings()), model.guidance_for(Settings())) == (sampler, steps, guidance)


def test_a_distilled_folder_is_known_by_its_name(tiny: Callable[[str], Path], tmp_path: Path) -> None:
    for name, steps, guidance in (("Z-Image-Turbo", 8, 1.0), ("Z-Image", 20, 5.0)):
        (tmp_path / name).symlink_to(tiny("z_image"))
        model = ModelFolder.open(tmp_path / name)
        assert (model.steps, model.guidance) == (steps, guidance), name
