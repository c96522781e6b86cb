"""A data folder like the renderer's: two training scenes and a held-out one, gradients and blocks for renders."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import OpenEXR
import pytest

from training.paint_dataset import finished_views, paint_view, write
from training.styles import PAINTERS

from .training_pictures import picture

PROJECTION = [[2.0, 0, 0, 0], [0, 2.0, 0, 0], [0, 0, -1, -0.2], [0, 0, -1, 0]]


def write_depth(path: Path, size: int = 48) -> None:
    """A wall that leans to the right, below sky."""
    near = np.tile(np.linspace(0.1, 0.3, size, dtype=np.float32), (size, 1))
    near[: size // 4] = 0
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    OpenEXR.File(header, {"RGB": np.dstack([near] * 3)}).write(str(path))


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for name in ("photo", "plain", "depth", "scenes"):
        (folder / name).mkdir()
    (folder / "dataset.json").write_text(json.dumps({"format": 5}))
    for scene in range(3):
        for kind in ("photo", "plain"):
            write(folder / kind / f"{scene:05d}_0.png", picture(scene))
        write_depth(folder / "depth" / f"{scene:05d}_0.exr")
        (folder / "scenes" / f"{scene:05d}.json").write_text(json.dumps({"projections": [PROJECTION]}))
    for view in finished_views(folder):
        for style in PAINTERS:
            paint_view(folder, view, style)
    return folder
