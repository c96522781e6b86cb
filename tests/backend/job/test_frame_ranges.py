"""Ranges and chunks of a job's frames."""

from __future__ import annotations

import pytest
from warpnoise.errors import SettingsError
from warpnoise.job import chunk_of, frames_between


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


def test_ranges() -> None:
    frames = [1, 3, 5, 7]
    assert frames_between(frames, 2, 6) == [3, 5]
    assert frames_between(frames, 1, 7) == frames
    for start, end, says in ((5, 3, "ends before"), (0, 3, "has the frames 1 to 7"), (3, 8, "1 to 7"), (4, 4, "step")):
        with pytest.raises(SettingsError, match=says):
            frames_between(frames, start, end)
