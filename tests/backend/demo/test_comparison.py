"""The pictures stand where they belong, unchanged; the movie plays them there and back."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from warpnoise.demo.comparison import CAPTION, GAP, PAPER, Strip, load, write_animation, write_sheet, write_side_by_side
from warpnoise.media.png import write_png


@pytest.fixture
def strips(tmp_path) -> list[Strip]:
    """Two strips of seven frames, 31 x 22 pixels: red grows in the first, green in the second."""
    made = []
    for channel, caption in enumerate(("first", "second")):
        frames = []
        for number in range(7):
            picture = np.zeros((22, 31, 3), np.uint16)
            picture[..., channel] = 257 * 36 * number
            frames.append(tmp_path / f"{caption}{number}.png")
            write_png(frames[-1], picture)
        made.append(Strip(caption, frames))
    return made


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_a_sheet(tmp_path, strips):
    write_sheet(tmp_path / "sheet.png", strips, numbers=range(10, 17), columns=4)
    sheet = pixels(tmp_path / "sheet.png")
    assert sheet.shape == (2 * (22 + CAPTION + GAP) + GAP, 4 * (31 + GAP) + GAP, 3)
    for row in range(2):
        top = GAP + row * (22 + CAPTION + GAP) + CAPTION
        for column, number in enumerate((0, 2, 4, 6)):
            left = GAP + column * (31 + GAP)
            cell = sheet[top : top + 22, left : left + 31]
            assert (cell == np.eye(3, dtype=np.uint8)[row] * 36 * number).all()
            assert (sheet[top - 2, left : left + 31] == PAPER).all()
    caption = sheet[GAP : GAP + CAPTION, GAP : GAP + 31]
    assert (caption != PAPER).any(), "no caption"


def test_fewer_frames_than_columns(tmp_path, strips):
    short = [Strip(strip.caption, strip.frames[:2]) for strip in strips]
    write_sheet(tmp_path / "sheet.png", short, numbers=[1, 2])
    assert pixels(tmp_path / "sheet.png").shape[1] == 2 * (31 + GAP) + GAP


def test_the_movie(tmp_path, strips):
    write_side_by_side(tmp_path / "movie.mp4", strips, Fraction(24), repeats=2)
    with av.open(tmp_path / "movie.mp4") as movie:
        frames = [frame.to_ndarray(format="rgb24") for frame in movie.decode(video=0)]
    assert len(frames) == 2 * 12
    assert frames[0].shape[0] % 2 == frames[0].shape[1] % 2 == 0
    middle = CAPTION + 11
    for channel in range(2):
        seen = [int(frame[middle, GAP + channel * (31 + GAP) + 15, channel]) for frame in frames]
        expected = 36 * np.array([0, 1, 2, 3, 4, 5, 6, 5, 4, 3, 2, 1] * 2)
        assert np.abs(seen - expected).max() <= 24, seen  # the codec's


def test_the_animation_for_pages(tmp_path, strips):
    write_animation(tmp_path / "animation.webp", strips, Fraction(25))
    with Image.open(tmp_path / "animation.webp") as animation:
        assert (animation.n_frames, animation.info["loop"]) == (12, 0)
        animation.seek(3)
        animation.load()
        assert animation.info["duration"] == 40
        assert abs(int(np.asarray(animation.convert("RGB"))[CAPTION + 11, GAP + 15, 0]) - 3 * 36) <= 24


def test_alpha_lies_over_the_paper(tmp_path):
    picture = np.zeros((8, 8, 4), np.uint16)
    picture[:, :4] = 65535
    write_png(tmp_path / "a.png", picture)
    shown = load(tmp_path / "a.png")
    assert (shown[:, :4] == 255).all() and (shown[:, 4:] == PAPER).all()
