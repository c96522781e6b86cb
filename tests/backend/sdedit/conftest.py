"""The toy models, written once a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from warpnoise.sdedit.latent_noise import LatentNoise

from .. import tiny_pipelines
from ..tiny_models import write_pixel_model, write_styled_model


@pytest.fixture
def pooled_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise of the latents' own, so that a test need not measure a decoder."""
    monkeypatch.setattr(LatentNoise, "bank", lambda *_: None)


@pytest.fixture(scope="session")
def plain_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pixel_model(tmp_path_factory.mktemp("models") / "plain")


@pytest.fixture(scope="session")
def styled_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_styled_model(tmp_path_factory.mktemp("models") / "styled")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a text-to-image model of ``tiny_pipelines``, written when it is first asked for."""
    root = tmp_path_factory.mktemp("pipelines")

    def folder(name: str) -> Path:
        place = root / name
        return place if place.is_dir() else tiny_pipelines.write(name, place)

    return folder


@pytest.fixture(scope="session")
def stable_diffusion(tiny: Callable[[str], Path]) -> Path:
    return tiny("sd15")
