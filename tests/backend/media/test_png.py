"""16-bit PNG: exact round trips, widening, damaged files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from warpnoise.errors import MediaError
from warpnoise.media.png import read_png, read_size, write_png


@pytest.mark.parametrize("channels", [3, 4])
def test_round_trip(tmp_path: Path, channels: int) -> None:
    picture = np.random.default_rng(0).integers(0, 65536, (5, 7, channels), dtype=np.uint16)
    write_png(tmp_path / "a.png", picture)
    np.testing.assert_array_equal(read_png(tmp_path / "a.png"), picture)
    assert read_size(tmp_path / "a.png") == (7, 5)


def test_red_is_first_for_other_programs_too(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", np.full((1, 1, 3), [65535, 256, 0], np.uint16))
    assert cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)[0, 0].tolist() == [0, 256, 65535]  # B, G, R


def test_8_bit_and_grey_are_widened(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.array([[[1, 2, 255]]], np.uint8))
    cv2.imwrite(str(tmp_path / "b.png"), np.array([[1000]], np.uint16))
    assert read_png(tmp_path / "a.png").tolist() == [[[65535, 514, 257]]]
    assert read_png(tmp_path / "b.png").tolist() == [[[1000, 1000, 1000]]]


def test_bad_files(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    with pytest.raises(MediaError, match=r"Cannot read .*No such file"):
        read_png(path)
    with pytest.raises(MediaError, match="Cannot read"):
        read_size(path)
    path.write_bytes(b"GIF89a")
    for read in (read_png, read_size):
        with pytest.raises(MediaError, match="is not a PNG file"):
            read(path)
    write_png(path, np.random.default_rng(0).integers(0, 65536, (32, 32, 3), dtype=np.uint16))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MediaError, match="is cut off"):
        read_png(path)
    path.write_bytes(whole[:200] + bytes(100) + whole[300:])
    with pytest.raises(MediaError, match="is damaged"):
        read_png(path)


@pytest.mark.parametrize(
    "picture", [np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2), np.uint16), np.zeros((0, 2, 3), np.uint16)]
)
def test_only_such_pictures_are_written(tmp_path: Path, picture: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected"):
        write_png(tmp_path / "a.png", picture)
