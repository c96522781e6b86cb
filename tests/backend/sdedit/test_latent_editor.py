"""Stable Diffusion against diffusers' own image-to-image pipeline."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionImg2ImgPipeline
from warpnoise.errors import Cancelled, ModelError
from warpnoise.job import Settings
from warpnoise.sdedit import load_model
from warpnoise.sdedit.latent import LatentEditor

SETTINGS = Settings(strength=0.5, steps=4, prompt="a house", negative_prompt="fog", guidance=3.0)


@pytest.fixture(scope="module")
def editor(stable_diffusion: Path) -> LatentEditor:
    loaded = load_model(stable_diffusion, "cpu", "float32")
    assert isinstance(loaded, LatentEditor)
    return loaded


def images(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_an_edit_is_that_of_the_reference_pipeline(
    stable_diffusion: Path, editor: LatentEditor, guidance: float
) -> None:
    pipeline = StableDiffusionImg2ImgPipeline.from_pretrained(stable_diffusion, local_files_only=True)
    pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config, clip_sample=False)
    pipeline.set_progress_bar_config(disable=True)
    pictures = images(2, 3, 32, 16)
    with torch.inference_mode():
        latents = pipeline.vae.encode(2 * pictures - 1).latent_dist.mode() * pipeline.vae.config.scaling_factor
    expected = pipeline(
        prompt=["a house"] * 2,
        negative_prompt=["fog"] * 2,
        image=latents,
        strength=0.5,
        num_inference_steps=4,
        guidance_scale=guidance,
        generator=torch.Generator().manual_seed(7),
        output_type="pt",
    ).images
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(7))
    result = editor.edit(pictures, lambda index: noise, SETTINGS.updated({"guidance": guidance}))
    torch.testing.assert_close(result, expected, atol=1e-4, rtol=0)


def test_any_size_and_stochastic_steps(editor: LatentEditor) -> None:
    settings = SETTINGS.updated({"eta": 1.0})
    maps = editor.noise_maps(settings)
    assert maps == 2
    shape = editor.noise_shape(30, 21)
    assert shape == (4, 4, 3)
    noise = torch.randn((maps, 1, *shape), generator=torch.Generator().manual_seed(2))
    result = editor.edit(images(1, 3, 30, 21), lambda index: noise[index], settings)
    assert result.shape == (1, 3, 30, 21)
    assert torch.equal(result, editor.edit(images(1, 3, 30, 21), lambda index: noise[index], settings))
    other = editor.edit(images(1, 3, 30, 21), lambda index: noise[0], settings)
    assert not torch.equal(result, other)


def test_prompts_matter_and_long_ones_are_told(editor: LatentEditor) -> None:
    noise = torch.randn((1, *editor.noise_shape(16, 16)), generator=torch.Generator().manual_seed(2))

    def edit(**changes: object) -> torch.Tensor:
        return editor.edit(images(1, 3, 16, 16), lambda index: noise, SETTINGS.updated(changes))

    assert not torch.equal(edit(), edit(prompt="a tree"))
    assert not torch.equal(edit(), edit(negative_prompt=""))
    assert editor.check(SETTINGS) == ()
    assert editor.check(SETTINGS.updated({"prompt": "a" * 30})) == (
        "The prompt has 32 tokens, the model reads 16: its end is ignored.",
    )


def test_cancelling(editor: LatentEditor) -> None:
    with pytest.raises(Cancelled):
        editor.edit(images(1, 3, 16, 16), lambda index: torch.zeros(1, 4, 2, 2), SETTINGS, cancelled=lambda: True)


def test_a_missing_tokenizer(tmp_path: Path, stable_diffusion: Path) -> None:
    folder = shutil.copytree(stable_diffusion, tmp_path / "model")
    shutil.rmtree(folder / "tokenizer")
    with pytest.raises(ModelError, match="tokenizer"):
        load_model(folder, "cpu", "float32")
