"""The project's trained latent model, tests/data/latent-model: noise through a real decoder and a real denoiser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from warpnoise.job import Settings
from warpnoise.sdedit import load_model
from warpnoise.sdedit.autoencoder import decode
from warpnoise.sdedit.pixel import PixelEditor

FOLDER = Path(__file__).resolve().parents[2] / "data" / "latent-model"
SETTINGS = Settings(strength=0.6, steps=4)
SIZE, CELL, CHANNELS = 96, 4, 16
BORDER, SHIFT = 16, CELL // 2

Noise = Callable[[int], Tensor]
"""Shift of the surface in pixels -> (1, CHANNELS, SIZE / CELL, SIZE / CELL)."""


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> PixelEditor:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WARPNOISE_CACHE", str(tmp_path_factory.mktemp("cache")))
        found = load_model(FOLDER, "cpu")
        assert isinstance(found, PixelEditor)
        assert found.check(SETTINGS) == ()
    return found


@pytest.fixture(scope="module")
def noises(editor: PixelEditor) -> tuple[Noise, Noise]:
    """Decoder-aligned noise, and pooled noise."""
    generator = torch.Generator().manual_seed(8)
    pixels = torch.randn((1, 3, SIZE, SIZE + SHIFT), generator=generator)
    latents = torch.randn((1, CHANNELS, SIZE, SIZE + SHIFT), generator=generator)
    return (
        lambda shift: editor._noise.latents(pixels[..., shift : shift + SIZE], 0, SETTINGS),
        lambda shift: F.avg_pool2d(latents[..., shift : shift + SIZE], CELL) * CELL,
    )


def incoherence(old: Tensor, new: Tensor) -> float:
    a = old[..., BORDER:-BORDER, BORDER + SHIFT : SIZE - BORDER]
    b = new[..., BORDER:-BORDER, BORDER : SIZE - BORDER - SHIFT]
    return float((a - b).square().mean() / (a.var() + b.var()))


@pytest.mark.slow
def test_its_patterns_make_most_of_what_it_paints_equivariant(editor: PixelEditor) -> None:
    bank = editor._noise.bank(SETTINGS)
    assert bank is not None and (bank.channels, bank.cell) == (CHANNELS, CELL)
    assert 0.85 < bank.energy <= 1


def test_half_a_cell_s_motion_costs_half_of_pooled_noise_in_what_is_painted(
    editor: PixelEditor, noises: tuple[Noise, Noise]
) -> None:
    aligned, pooled = (incoherence(decode(editor, noise(0)), decode(editor, noise(SHIFT))) for noise in noises)
    assert aligned < 0.5 * pooled
