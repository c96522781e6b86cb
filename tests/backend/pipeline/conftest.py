"""Small jobs with a toy model."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from warpnoise.job import Settings, Shot

from .. import synthetic
from ..tiny_models import write_styled_model


@pytest.fixture(scope="session")
def styled_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_styled_model(tmp_path_factory.mktemp("models") / "styled")
    settle(folder)
    return folder


def settle(folder: Path) -> None:
    """As if the files were written long ago."""
    for path in folder.rglob("*"):
        os.utime(path, (1e9, 1e9))


@pytest.fixture
def make_job(tmp_path: Path, styled_model: Path) -> Callable[..., Shot]:
    """``make_job(frames=..., steps=..., noise=..., ...)``: settings and the arguments of ``synthetic.make_job``."""

    def make(**options: Any) -> Shot:
        chosen: dict[str, Any] = {"model": str(styled_model), "steps": 4, "noise": "nearest", "coherence": "off"}
        chosen.update({name: options.pop(name) for name in list(options) if name in Settings.model_fields})
        sizes = {"width": 16, "height": 12, "frames": 3, **options}
        job = synthetic.make_job(tmp_path / "job", settings=Settings(**chosen), **sizes)
        settle(job.path)
        return job

    return make
