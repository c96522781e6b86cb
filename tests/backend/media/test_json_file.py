"""JSON from outside is read within bounds, and an error says what is wrong and what to do."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from warpnoise.errors import JobError, MediaError
from warpnoise.media.json_file import parse_json, read_json, read_object


def test_values_are_those_of_the_standard_library(tmp_path: Path) -> None:
    value = {"a": [1, -2.5, 1e300, True, None, "\u00e4\U0001f600"], "b": {}, "c": 2**70}
    (tmp_path / "a.json").write_text(json.dumps(value), encoding="utf-8")
    assert read_json(tmp_path / "a.json") == value
    (tmp_path / "a.json").write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8-sig")
    assert read_object(tmp_path / "a.json") == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "EOF"),
        (b'{"a": 1', "EOF"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 300 + b"1" + b"}" * 300, "nested too deeply"),
        (b'{"a": NaN}', "expected value"),
        (b"-Infinity", ""),
        (b'{"a": 1e999}', "too large"),
        (b"[1" + b"0" * 400 + b".0]", "too large"),
        (b'"\\ud800"', "hex escape"),
        (b'{"a": "\xff"}', "unicode"),
        ("{}".encode("utf-16"), "expected value"),
        (b"1" * 10_000, "out of range"),
    ],
)
def test_bad_texts_are_named_with_advice(tmp_path: Path, text: bytes, reason: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text)
    with pytest.raises(JobError, match=rf"a\.json is not JSON: .*{reason}.*\. Write it again\.$"):
        read_json(path, error=JobError, advice="Write it again.")


def test_infinities_may_be_asked_for() -> None:
    assert parse_json(b"[-Infinity, 1e999]", "it", finite=False) == [float("-inf"), float("inf")]


def test_sizes_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"[" + b" " * 100 + b"]")
    assert read_json(path, largest=102) == []
    with pytest.raises(MediaError, match="has 102 bytes; expected at most 101"):
        read_json(path, largest=101)
    with pytest.raises(MediaError, match="The answer has 102 bytes; expected at most 101"):
        parse_json(path.read_bytes(), "The answer", largest=101)


def test_values_are_counted_before_they_are_made() -> None:
    with pytest.raises(MediaError, match="The answer holds more than 8000000 values"):
        parse_json(b"[" + b"[]," * 8_000_000 + b"[]]", "The answer")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"a\.json is missing\. Export again\."):
        read_json(tmp_path / "a.json", advice="Export again.")
    assert read_json(tmp_path / "a.json", missing=None) is None


def test_other_values_than_an_object(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(MediaError, match=r"a\.json: expected a JSON object, got list\. Export again\."):
        read_object(tmp_path / "a.json", advice="Export again.")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_pipes_and_devices_are_refused_before_they_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(MediaError, match=r"not a regular file|Is a directory"):
            read_json(path, missing=None)
