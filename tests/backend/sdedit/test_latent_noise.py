"""Models with an autoencoder ask for pixel noise, which becomes that of their latents."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from warpnoise.job import Settings
from warpnoise.sdedit import load_model
from warpnoise.sdedit.filter_bank import FilterBank, MeasurementError
from warpnoise.sdedit.filter_bank import bank as bank_module
from warpnoise.sdedit.injection import InjectedScheduler
from warpnoise.sdedit.pipeline_editor import PipelineEditor

Tiny = Callable[[str], Path]
SETTINGS = Settings(strength=0.5, steps=4, prompt="a house", eta=1.0)


def open_editor(folder: Path) -> PipelineEditor:
    editor = load_model(folder, "cpu", "float32")
    assert isinstance(editor, PipelineEditor)
    return editor


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("sd21", (3, 40, 48)),
        pytest.param("flux", (3, 40, 48), marks=pytest.mark.slow),
        ("sana_euler", (3, 40, 48)),
        ("prx", (3, 40, 48)),
    ],
)
def test_pixel_noise_enters_projected(
    tiny: Tiny, name: str, shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Start and stochastic steps, padded as the latents are; the steps see the pipeline's own layout."""
    editor = open_editor(tiny(name))
    assert editor.noise_shape(40, 48, SETTINGS) == shape
    maps = torch.randn((4, 1, *shape), generator=torch.Generator().manual_seed(3))
    given: list[torch.Tensor] = []
    step = InjectedScheduler.step

    def watch(self: Any, *args: Any, **keywords: Any) -> Any:
        if not given:
            given.append(self.x.clone())
        return step(self, *args, **keywords)

    monkeypatch.setattr(InjectedScheduler, "step", watch)
    pictures = torch.full((1, 3, 40, 48), 0.5)
    result = editor.edit(pictures, lambda index: maps[index], SETTINGS)
    assert result.shape == pictures.shape
    if name == "prx":
        return
    bank = editor._noise.bank(SETTINGS)
    assert isinstance(bank, FilterBank) and bank.channels == editor.folder.latent_channels
    projected = bank.project(maps[0], map=0)
    assert projected.shape[1:] == editor.folder.noise_shape(40, 48)
    other = editor.edit(pictures, lambda index: maps[index] if index == 0 else maps[3], SETTINGS)
    assert not torch.equal(other, result)


@pytest.mark.slow
def test_the_decoder_is_measured_once_and_its_share_is_logged(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="warpnoise.sdedit.latent_noise"):
        first = open_editor(tiny("sd21"))._noise.bank(SETTINGS)
    assert first is not None
    assert f"patterns make {first.energy:.2f} of what its decoder paints" in caplog.text

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("measured again")

    monkeypatch.setattr(bank_module, "measure_response", refuse)
    again = open_editor(tiny("sd21"))._noise.bank(SETTINGS)
    assert again is not None and torch.equal(first.patterns, again.patterns)


def test_an_unmeasurable_autoencoder_is_reported(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise MeasurementError("The decoder paints nothing.")

    monkeypatch.setattr(FilterBank, "measure", fail)
    editor = open_editor(tiny("sd21"))
    assert editor.noise_shape(40, 48, SETTINGS) == (4, 5, 6)
    assert editor.check(SETTINGS) == (
        "The decoder paints nothing. Warpnoise uses pooled noise instead: texture flickers where the picture moves by "
        "a fraction of a latent cell.",
    )


def test_pooled_noise_measures_no_decoder(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("measured")

    monkeypatch.setattr(FilterBank, "measure", refuse)
    editor, pooled = open_editor(tiny("sd21")), SETTINGS.updated({"latent_noise": "pooled", "eta": 0.0})
    assert editor.check(pooled) == () and editor.noise_shape(40, 48, pooled) == (4, 5, 6)
    noise = torch.randn((1, 4, 5, 6), generator=torch.Generator().manual_seed(3))
    assert editor.edit(torch.full((1, 3, 40, 48), 0.5), lambda _: noise, pooled).shape == (1, 3, 40, 48)
