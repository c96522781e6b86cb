"""stylized/frames.json."""

from __future__ import annotations

from pathlib import Path

import pytest
from warpnoise.errors import JobError
from warpnoise.job import FrameDigests


def never(message: str) -> None:
    raise AssertionError(message)


def test_what_was_recorded_is_there_when_read_again(tmp_path: Path) -> None:
    path = tmp_path / "stylized" / "frames.json"
    digests = FrameDigests(path, warn=never)
    assert digests.get(1) is None
    digests.record(10, "b")
    digests.record(-2, "a")
    digests.record(10, "c")
    digests.record(3, "d")
    digests.forget(3)
    digests.forget(4)
    again = FrameDigests(path, warn=never)
    assert [again.get(frame) for frame in (-2, 3, 10)] == ["a", None, "c"]
    assert [file.name for file in path.parent.iterdir()] == ["frames.json"]


@pytest.mark.parametrize("content", ["{", "[]", '{"1": 2}', '{"one": "a"}', "\udcff"])
def test_a_damaged_file_counts_as_empty_and_is_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "frames.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    warnings: list[str] = []
    digests = FrameDigests(path, warn=warnings.append)
    assert digests.get(1) is None
    assert len(warnings) == 1 and "taken for unfinished" in warnings[0]
    digests.record(1, "a")
    assert FrameDigests(path, warn=never).get(1) == "a"


def test_what_cannot_be_written_is_not_remembered(tmp_path: Path) -> None:
    (tmp_path / "stylized").touch()  # a file where the folder should be
    digests = FrameDigests(tmp_path / "stylized" / "frames.json", warn=lambda message: None)
    with pytest.raises(JobError, match="Cannot write"):
        digests.record(1, "a")
    assert digests.get(1) is None
