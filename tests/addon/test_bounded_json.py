"""JSON from outside is read within bounds."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from warpnoise_addon.bounded_json import BadJsonError, parse_json, read_json


def test_values_are_those_of_the_standard_library(tmp_path: Path) -> None:
    value = {"a": [1, -2.5, 1e300, True, None, "\u00e4\U0001f600"], "b": {}, "many": [[]] * 1000}
    path = tmp_path / "a.json"
    for encoding in ("utf-8", "utf-8-sig"):
        path.write_text(json.dumps(value), encoding=encoding)
        assert read_json(path) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'{"a": 1', "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": 1e999}', "too large"),
        (b'"\\ud800"', "half of a character"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b"1" * 10_000, "not JSON"),
    ],
)
def test_bad_texts_are_named(text: bytes, reason: str) -> None:
    with pytest.raises(BadJsonError, match=reason):
        parse_json(text)


def test_values_just_within_the_bounds() -> None:
    parse_json(b"[" * 200 + b"]" * 200)
    assert parse_json(b'"\\ud83d\\ude00"') == "\U0001f600"


def test_sizes_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"[" + b" " * 100 + b"]")
    assert read_json(path, 102) == []
    with pytest.raises(BadJsonError, match="has 102 bytes; expected at most 101"):
        read_json(path, 101)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_pipes_and_devices_are_refused_before_they_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(BadJsonError, match="not a regular file"):
            read_json(path)
