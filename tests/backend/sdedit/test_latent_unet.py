"""Models of a UNet2DModel in the latents of an autoencoder."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from warpnoise.errors import ModelError
from warpnoise.job import Settings
from warpnoise.sdedit import ModelFolder, load_model
from warpnoise.sdedit.pixel import PixelEditor

from ..tiny_models import write_latent_model

SETTINGS = Settings(strength=0.6, steps=5, style="clay")
SIZE = (18, 30)
"""Of no multiple of the network's."""


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> PixelEditor:
    made = load_model(write_latent_model(tmp_path_factory.mktemp("model") / "latent"), "cpu", "float32")
    assert isinstance(made, PixelEditor)
    return made


@pytest.fixture
def noise(editor: PixelEditor) -> torch.Tensor:
    return torch.randn((2, *editor.noise_shape(*SIZE, SETTINGS)), generator=torch.Generator().manual_seed(0))


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand((2, 3, *SIZE), generator=torch.Generator().manual_seed(1))


def test_its_noise_is_pixels_read_by_the_decoder_s_patterns(editor: PixelEditor) -> None:
    assert editor.noise_shape(*SIZE, SETTINGS) == (3, *SIZE)
    assert editor.cell(SETTINGS) == 8
    assert editor.folder.styles == ("ink", "clay")
    assert editor.takes_geometry


def test_an_edit_is_the_written_out_algorithm(editor: PixelEditor, noise: torch.Tensor, images: torch.Tensor) -> None:
    """DDIM by hand (Song et al. 2021, equation 12) on the encoded frame, with the patterns' noise."""
    result = editor.edit(images, lambda index: noise, SETTINGS)
    padded = torch.nn.functional.pad(images * 2 - 1, (0, 2, 0, 6), mode="reflect")
    alphas = torch.cumprod(1 - torch.linspace(0.0001, 0.02, 1000), 0)
    with torch.inference_mode():
        given = editor.vae.encode(padded).latents
        e = torch.nn.functional.pad(editor._noise.latents(noise, 0, SETTINGS), (0, 0, 0, 1), mode="reflect")
        x = alphas[400].sqrt() * given + (1 - alphas[400]).sqrt() * e
        labels = torch.tensor([1, 1])
        for t, after in ((400, 200), (200, 0), (0, -1)):
            a, b = alphas[t], alphas[after] if after >= 0 else torch.tensor(1.0)
            e = editor._unet(torch.cat([x, given, torch.zeros(2, 4, 6, 8)], 1), t, class_labels=labels).sample
            x = b.sqrt() * (x - (1 - a).sqrt() * e) / a.sqrt() + (1 - b).sqrt() * e
        expected = editor.vae.decode(x).sample
    torch.testing.assert_close(result, (expected / 2 + 0.5).clamp(0, 1)[..., :18, :30], atol=1e-4, rtol=0)


def test_geometry_reaches_the_network(editor: PixelEditor, noise: torch.Tensor, images: torch.Tensor) -> None:
    geometry = torch.rand((2, 4, *SIZE), generator=torch.Generator().manual_seed(2))
    without = editor.edit(images, lambda index: noise, SETTINGS)
    nothing = editor.edit(images, lambda index: noise, SETTINGS, geometry=torch.zeros_like(geometry))
    assert torch.equal(without, nothing)
    assert not torch.equal(without, editor.edit(images, lambda index: noise, SETTINGS, geometry=geometry))


def test_channels_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    folder = write_latent_model(tmp_path / "latent", vae_channels=4)
    with pytest.raises(ModelError, match=r"expected a U-Net of 4 channels in \(the VAE's latents; 8 .*got 20 and 8"):
        ModelFolder.open(str(folder))
