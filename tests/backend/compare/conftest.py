"""A small job of a scene that moves, and a model of two styles at toy size."""

from __future__ import annotations

from pathlib import Path

import pytest
from warpnoise.job import Settings, Shot

from .. import synthetic, tiny_models


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.write_styled_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def job(tmp_path: Path, model: Path) -> Shot:
    return synthetic.make_job(tmp_path / "job", frames=3, settings=Settings(model=str(model), steps=2))
