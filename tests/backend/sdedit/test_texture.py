from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from warpnoise.job import Settings
from warpnoise.sdedit import load_model
from warpnoise.sdedit.texture import add_texture, pink


def white(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def maps(count: int, *shape: int) -> Callable[[int], torch.Tensor]:
    noise = white(count, *shape)
    return lambda index: noise[index]


def test_pink_noise_has_variance_one_and_falls_with_the_frequency() -> None:
    field = pink(white(1, 1, 512, 512))[0, 0]
    assert field.var().item() == pytest.approx(1, abs=0.05)
    power = torch.fft.rfft2(field).abs().square()
    bands = [power[a:b, a:b].mean().item() for a, b in ((1, 16), (16, 48), (48, 128), (128, 256))]
    assert bands == sorted(bands, reverse=True) and bands[0] > 20 * bands[-1]


def test_pink_noise_moves_with_the_noise() -> None:
    noise = white(2, 3, 40, 56)
    moved = torch.roll(noise, (5, -7), (-2, -1))
    torch.testing.assert_close(pink(moved), torch.roll(pink(noise), (5, -7), (-2, -1)), atol=1e-5, rtol=0)


@pytest.mark.slow
def test_the_variance_does_not_depend_on_the_channels() -> None:
    grey = torch.full((1, 3, 512, 512), 0.5)
    for channels in (1, 3, 4, 16):
        changed = add_texture(grey, white(1, channels, 512, 512), 0.1)
        assert changed.std((-2, -1)).mean().item() == pytest.approx(0.05, rel=0.06)


def test_black_and_white_stay() -> None:
    images = torch.tensor([0.0, 1.0])[:, None, None, None].expand(2, 3, 16, 16)
    torch.testing.assert_close(add_texture(images, white(2, 3, 16, 16), 1.0), images, atol=0, rtol=0)


def test_noise_of_a_coarser_grid_covers_the_image() -> None:
    changed = add_texture(torch.full((1, 3, 64, 96), 0.5), white(1, 4, 8, 12), 0.1)
    assert changed.shape == (1, 3, 64, 96) and changed.std() > 0.02


def test_an_edit_starts_from_the_textured_images(styled_model: Path) -> None:
    """The texture's map is the last, after those of the stochastic steps."""
    editor = load_model(styled_model, "cpu")
    images, noise = torch.rand(2, 3, 16, 16), maps(4, 2, 3, 16, 16)
    settings = Settings(strength=0.6, steps=5, eta=1.0, texture=0.3)
    assert editor.noise_maps(settings) == 4
    plain = settings.updated({"texture": 0.0})
    assert editor.noise_maps(plain) == 3
    result = editor.edit(images, noise, settings)
    torch.testing.assert_close(result, editor.edit(add_texture(images, noise(3), 0.3), noise, plain), atol=0, rtol=0)
    assert not torch.equal(result, editor.edit(images, noise, plain))


def test_a_latent_model_takes_texture(stable_diffusion: Path) -> None:
    editor = load_model(stable_diffusion, "cpu")
    settings = Settings(strength=0.5, steps=2, texture=0.3)
    shape = editor.noise_shape(32, 48, Settings())
    images, noise = torch.rand(1, 3, 32, 48), maps(2, 1, *shape)
    assert editor.noise_maps(settings) == 2
    result = editor.edit(images, noise, settings)
    plain = editor.edit(add_texture(images, noise(1), 0.3), noise, settings.updated({"texture": 0.0}))
    torch.testing.assert_close(result, plain, atol=0, rtol=0)


@pytest.mark.slow
def test_a_model_names_the_settings_that_suit_its_styles(tmp_path: Path, styled_model: Path) -> None:
    shutil.copytree(styled_model, tmp_path, dirs_exist_ok=True)
    sheet = json.loads((tmp_path / "styles.json").read_text())
    (tmp_path / "styles.json").write_text(json.dumps({**sheet, "texture": {"ink": 0.0, "clay": 0.2}}))
    editor = load_model(tmp_path)
    images, noise = torch.rand(1, 3, 16, 16), maps(2, 1, 3, 16, 16)
    for style, texture in (("ink", 0.0), ("clay", 0.2), (None, 0.0)):
        own, given = (editor.edit(images, noise, Settings(style=style, texture=amount)) for amount in (None, texture))
        torch.testing.assert_close(own, given, atol=0, rtol=0)
    assert [editor.noise_maps(Settings(style=style)) for style in ("ink", "clay")] == [1, 2]
