"""A run that was interrupted: what is known of it when the file is opened again."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from warpnoise_addon.frame_ranges import frame_name
from warpnoise_addon.settings import make_settings
from warpnoise_addon.stylize.request import RECORD, StylizeRequest, unfinished

from ..result_files import write_result

SETTINGS = make_settings(style="oil", strength=0.4)


@pytest.fixture
def request_(tmp_path) -> StylizeRequest:
    (tmp_path / "records").mkdir(parents=True)
    (tmp_path / "color").mkdir()
    return StylizeRequest(tmp_path, 2, 8, 2, settings=SETTINGS, scene="Scene")


def render(job: Path, *frames: int) -> None:
    for frame in frames:
        (job / "color" / f"{frame_name(frame)}.png").touch()


def stylize(job: Path, settings: dict, *frames: int, seconds_later: float = 1.0) -> None:
    result = write_result(job, settings=settings)
    for frame in frames:
        record = result / "records" / f"{frame_name(frame)}.json"
        record.touch()
        rendered = (job / "color" / f"{frame_name(frame)}.png").stat().st_mtime
        os.utime(record, (rendered + seconds_later,) * 2)


def test_how_far_it_came(request_):
    job = request_.folder
    assert unfinished(job) is None
    request_.record_begun()
    render(job, 2, 4, 6, 99)
    found = unfinished(job)
    assert (found.frames, found.settings) == (request_.frames, SETTINGS)
    assert (found.total, found.rendered, found.stylized) == (4, 3, 0)
    stylize(job, SETTINGS, 2, 4)
    assert (unfinished(job).rendered, unfinished(job).stylized) == (3, 2)
    request_.record_finished()
    assert unfinished(job) is None


def test_it_is_done_when_all_frames_are_whoever_made_them(request_):
    request_.record_begun()
    render(request_.folder, 2, 4, 6, 8)
    stylize(request_.folder, SETTINGS, 2, 4, 6, 8)
    assert unfinished(request_.folder) is None


@pytest.mark.parametrize(
    ("settings", "seconds_later"),
    [({**SETTINGS, "seed": 1}, 1.0), (SETTINGS, -1.0)],
    ids=["others", "older"],
)
def test_frames_of_an_earlier_run_do_not_count(request_, settings, seconds_later):
    request_.record_begun()
    render(request_.folder, 2, 4, 6, 8)
    stylize(request_.folder, settings, 2, 4, 6, 8, seconds_later=seconds_later)
    assert unfinished(request_.folder).stylized == 0


def test_parts_of_a_job_are_not_offered(request_):
    replace(request_, color_frames=[4]).record_begun()
    assert unfinished(request_.folder) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"frames": 3, "settings": {}}'])
def test_a_damaged_record_is_none(request_, content):
    (request_.folder / RECORD).write_text(content)
    assert unfinished(request_.folder) is None


def test_a_folder_that_cannot_be_written_is_not_its_concern(request_):
    nowhere = request_.folder / "nowhere"
    replace(request_, folder=nowhere).record_begun()
    assert unfinished(nowhere) is None
    replace(request_, folder=nowhere).record_finished()
    assert not nowhere.exists()
