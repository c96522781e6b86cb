"""Ranges and chunks of a shot's frames."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from warpnoise.errors import SettingsError
from warpnoise.job import chunk_of, frames_text, parse_frames, select_frames

CASES = json.loads((Path(__file__).parents[2] / "fixtures" / "frame_ranges.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("text", "frames", "shortest"), CASES["valid"])
def test_what_a_text_lists_and_its_shortest_form(text: str, frames: list[int], shortest: str) -> None:
    assert parse_frames(text) == frames
    assert frames_text(frames) == shortest and parse_frames(shortest) == frames


@pytest.mark.parametrize(("text", "message"), CASES["invalid"])
def test_an_error_names_the_wrong_part(text: str, message: str) -> None:
    with pytest.raises(SettingsError) as failure:
        parse_frames(text)
    assert str(failure.value) == message


def test_frames_of_a_shot() -> None:
    frames = [1, 3, 5, 7]
    assert select_frames(frames, "2-6") == [3, 5]
    assert select_frames(frames, "7,1") == [1, 7]
    assert select_frames(frames, "all") == select_frames(frames, "1:7") == frames
    assert frames_text(range(1, 1000, 4), most=10) == "1-997:4"
    assert frames_text([1, 2, 3, 5, 8, 20], most=2) == "1-3,5,..."
    for text, says in (
        ("0-3", "no frame 0; it has 1-7:2"),
        ("3-8,12", "no frame 8,12; it has"),
        ("4", "has none of 4; it has"),
    ):
        with pytest.raises(SettingsError, match=says):
            select_frames(frames, text)


@pytest.mark.parametrize("length", [1, 5, 7, 240])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 10])
def test_every_frame_is_in_exactly_one_chunk_and_chunks_are_of_equal_size(length: int, count: int) -> None:
    frames = list(range(-3, -3 + 2 * length, 2))
    chunks = [chunk_of(frames, number, count) for number in range(1, count + 1)]
    assert [frame for chunk in chunks for frame in chunk] == frames
    sizes = {len(chunk) for chunk in chunks}
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(("number", "count"), [(0, 10), (11, 10), (1, 0), (-1, 3)])
def test_chunks_that_there_are_not(number: int, count: int) -> None:
    with pytest.raises(SettingsError, match=rf"chunk {number}/{count}: expected a number from 1 to the count"):
        chunk_of([1, 2, 3], number, count)
