"""records/stylized/: a file for each finished frame."""

from __future__ import annotations

from pathlib import Path

import pytest
from warpnoise.errors import JobError
from warpnoise.job import FrameDigests


def never(message: str) -> None:
    raise AssertionError(message)


def test_what_was_recorded_is_there_when_read_again(tmp_path: Path) -> None:
    folder = tmp_path / "records" / "stylized"
    digests, other = FrameDigests(folder, warn=never), FrameDigests(folder, warn=never)
    assert digests.get(1) is None
    digests.record(10, "b")
    digests.record(-2, "a")
    digests.record(10, "c")
    other.record(3, "d")
    digests.forget(3)
    digests.forget(4)
    assert [other.get(frame) for frame in (-2, 3, 10)] == ["a", None, "c"]
    assert sorted(file.name for file in folder.iterdir()) == ["-0002.json", "0010.json"]


@pytest.mark.parametrize("content", ["{", "[]", '{"digest": 2}', '{"1": "a"}', "\udcff"])
def test_a_damaged_file_means_unfinished_and_is_replaced(tmp_path: Path, content: str) -> None:
    (tmp_path / "0001.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    warnings: list[str] = []
    digests = FrameDigests(tmp_path, warn=warnings.append)
    assert digests.get(1) is None
    assert len(warnings) == 1 and "taken for unfinished" in warnings[0]
    digests.record(1, "a")
    assert FrameDigests(tmp_path, warn=never).get(1) == "a"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "records").touch()  # a file where the folder should be
    digests = FrameDigests(tmp_path / "records" / "stylized")
    with pytest.raises(JobError, match="Cannot write"):
        digests.record(1, "a")
    assert digests.get(1) is None
