"""A data folder like the renderer's: two training scenes and a held-out one, gradients and blocks for renders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from training_pictures import picture

from training.paint_dataset import finished_views, paint_view, write
from training.styles import PAINTERS


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for name in ("photo", "plain", "scenes"):
        (folder / name).mkdir()
    (folder / "dataset.json").write_text(json.dumps({"format": 3}))
    for scene in range(3):
        for kind in ("photo", "plain"):
            write(folder / kind / f"{scene:05d}_0.png", picture(scene))
        (folder / "scenes" / f"{scene:05d}.json").write_text("{}")
    for view in finished_views(folder):
        for style in PAINTERS:
            paint_view(folder, view, style)
    return folder
