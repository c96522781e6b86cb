from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from ..tiny_hub import Repository, TinyHub
from ..tiny_models import write_styled_model


@pytest.fixture(scope="session")
def styled_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_styled_model(tmp_path_factory.mktemp("models") / "styled")


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A models folder and a Hugging Face cache of the test's own. The models folder."""
    monkeypatch.setenv("WARPNOISE_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "models"


@pytest.fixture
def hub(places: Path, styled_model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TinyHub]:
    """A hub that has the toy model as ``studio/ink``."""
    hub = TinyHub()
    hub.repositories["studio/ink"] = Repository(styled_model)
    monkeypatch.setattr(constants, "ENDPOINT", hub.address)
    monkeypatch.setattr("warpnoise.hub.fetch._WAIT_SECONDS", 0.01)
    yield hub
    hub.close()
