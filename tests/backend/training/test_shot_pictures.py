"""The results' picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.paint_dataset import write
from training.shot_pictures import shot_sheet


def shot(folder: Path, first: float) -> Path:
    """Three frames of 8 x 16 px, each of one grey: plain, stylized and path traced ones differ."""
    places = ("job/color", "job/compare/appearance/warped/seed0", "reference")
    for i, place in enumerate(places):
        (folder / place).mkdir(parents=True)
        for frame in range(3):
            write(folder / place / f"{frame + 1:04d}.png", np.full((8, 16, 3), first + 0.1 * i + 0.03 * frame))
    return folder


def test_a_row_for_each_shot_and_a_column_for_each_picture(tmp_path: Path) -> None:
    sheet = shot_sheet([shot(tmp_path / "one", 0.1), shot(tmp_path / "two", 0.5)])
    caption = sheet.shape[0] - 2 * 8
    assert sheet.shape[1] == 6 * 16 and 0 < caption < 30
    greys = sheet[caption::8, ::16, 0]
    row = np.array([0.0, 0.1, 0.2, 0.06, 0.16, 0.26])  # of the first frame, then of the last
    np.testing.assert_allclose(greys, [0.1 + row, 0.5 + row], atol=1 / 255)


def test_a_shot_that_was_not_compared(tmp_path: Path) -> None:
    (tmp_path / "job").mkdir()
    with pytest.raises(SystemExit, match="run warpnoise compare"):
        shot_sheet([tmp_path])
