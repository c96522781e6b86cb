"""Frame ranges: the table of cases that the backend's parser passes too, and the shots that they make."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from warpnoise_addon.errors import SettingsError
from warpnoise_addon.frame_ranges import frames_text, parse_frames, parse_shot

CASES = json.loads((Path(__file__).parents[1] / "fixtures" / "frame_ranges.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("text", "frames", "shortest"), CASES["valid"])
def test_what_a_text_lists_and_its_shortest_form(text, frames, shortest):
    assert parse_frames(text) == frames
    assert frames_text(frames) == shortest and parse_frames(shortest) == frames


@pytest.mark.parametrize(("text", "message"), CASES["invalid"])
def test_an_error_names_the_wrong_part(text, message):
    with pytest.raises(SettingsError) as failure:
        parse_frames(text)
    assert str(failure.value) == message


@pytest.mark.parametrize(
    ("text", "frames"),
    [("7", (7, 7, 1)), ("1-24", (1, 24, 1)), ("-4:10:2", (-4, 10, 2)), ("1-3,4-9", (1, 9, 1)), ("5,2", (2, 5, 3))],
)
def test_frames_of_a_shot(text, frames):
    parsed = parse_shot(text)
    assert (parsed.start, parsed.stop - 1, parsed.step) == frames
    assert parse_shot(frames_text(parsed)) == parsed


@pytest.mark.parametrize("text", ["7,9,20", "1-9:2,10"])
def test_a_shot_has_one_frame_step(text):
    with pytest.raises(SettingsError, match=r"one frame step.*--only"):
        parse_shot(text)


def test_the_text_of_a_long_irregular_list_leads_back_to_it():
    numbers = parse_frames("1-104857:3,2-104857:7")
    assert parse_frames(frames_text(numbers)) == numbers


def test_messages_list_few_parts():
    assert frames_text([1, 2, 3, 5, 8, 20], most=2) == "1-3,5,..."
    assert frames_text([1, 2, 3, 5], most=2) == "1-3,5"
