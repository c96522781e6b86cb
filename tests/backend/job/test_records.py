"""records/: a file for each finished picture."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from warpnoise.errors import JobError, MediaError
from warpnoise.hashing import file_sha256
from warpnoise.job import ModelInfo, Result, ResultInfo, Settings
from warpnoise.job.result import Record

PICTURE = np.full((2, 3, 3), 7, np.uint16)
INFO = ResultInfo(settings=Settings(seed=3), model=ModelInfo(name="m", digest="d"))


@pytest.fixture
def result(tmp_path: Path) -> Result:
    made = Result(tmp_path / "results" / "ink-0")
    made.create(INFO)
    return made


@pytest.mark.parametrize("preview", [False, True])
def test_a_record_round_trips(result: Result, preview: bool, caplog: pytest.LogCaptureFixture) -> None:
    assert result.record(result.frame(1)) is None
    result.write_frame(1, PICTURE, "a", preview=preview)
    assert result.record(result.frame(1)) == Record(made_of="a", sha256=file_sha256(result.frame(1)), preview=preview)
    assert not caplog.messages


@pytest.mark.parametrize("content", ["{", "[]", '{"made_of": 2, "sha256": "x"}', '{"digest": "a"}', "\udcff"])
def test_a_damaged_record_means_unfinished_and_is_replaced(
    result: Result, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    (result.folder / "records" / "0001.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    assert result.record(result.frame(1)) is None
    assert len(caplog.messages) == 1 and "makes the frame again" in caplog.messages[0]
    result.write_frame(1, PICTURE, "a")
    assert result.record(result.frame(1)) is not None


def test_a_frame_is_finished_while_its_picture_is_what_was_recorded(result: Result) -> None:
    picture = result.frame(-2)
    assert not result.is_finished(picture, "a")
    result.write_frame(-2, PICTURE, "a")
    record = result.record(picture)
    assert record is not None and record.sha256 == hashlib.sha256(picture.read_bytes()).hexdigest()
    assert (picture.name, result.is_finished(picture, "a"), result.is_finished(picture, "b")) == (
        "-0002.png",
        True,
        False,
    )
    content = picture.read_bytes()
    for wrong in (content[:-1], content + b"\0", b""):
        picture.write_bytes(wrong)
        assert not result.is_finished(picture, "a")
    picture.unlink()
    assert not result.is_finished(picture, "a")


def test_frames_of_a_preview_are_finished_for_previews_only(result: Result) -> None:
    result.write_frame(1, PICTURE, "a", preview=True)
    assert result.is_finished(result.frame(1), "a", preview=True)
    assert not result.is_finished(result.frame(1), "a")


def test_a_result_tells_what_it_was_made_with(result: Result) -> None:
    assert result.info() == INFO
    result.settings_file.write_text('{"schema": 2}')
    assert result.info() is None
    result.create(INFO)
    assert result.info() == INFO


def test_leftovers_of_a_deletion_are_removed(result: Result) -> None:
    rest = result.folder.rename(result.folder.with_name(".deleted-ink-0-abcd"))
    result.create(INFO)
    assert not rest.exists() and result.info() == INFO


def test_a_deleted_folder_is_not_recreated_with_some_of_its_files(result: Result) -> None:
    result.frame(1).parent.rmdir()
    with pytest.raises(JobError, match="frames is gone"):
        result.write_frame(1, PICTURE, "a")
    assert not result.frame(1).parent.exists()


def test_a_folder_that_cannot_be_written(tmp_path: Path, result: Result) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JobError, match="Cannot write"):
        Result(tmp_path / "file" / "ink-0").create(INFO)
    (result.folder / "records").rmdir()
    (result.folder / "records").touch()
    with pytest.raises(JobError, match="Cannot write"):
        result.write_frame(1, PICTURE, "a")
    with pytest.raises((MediaError, OSError)):
        file_sha256(tmp_path / "nowhere")
