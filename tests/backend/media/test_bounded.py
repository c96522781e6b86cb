"""Paths that users and clients give."""

from __future__ import annotations

from pathlib import Path

import pytest
from warpnoise.errors import JobError
from warpnoise.media.bounded import given_path


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ("~nosuchuser/job", "home directory"),
        ("a\0b", "null byte"),
        ("a" * 300, "File name too long"),
        ("a/" * 5000, "File name too long"),
        ("\ud800", "surrogates"),
    ],
)
def test_impossible_paths_are_named(text: str, reason: str) -> None:
    with pytest.raises(JobError, match=rf"cannot be the job folder: .*{reason}.*\. Give another path\."):
        given_path(text, "the job folder", error=JobError)


def test_possible_paths_are_expanded(tmp_path: Path) -> None:
    assert given_path("~/x", "the job folder") == Path.home() / "x"
    assert given_path(tmp_path / "missing" / "x", "the job folder") == tmp_path / "missing" / "x"
    (tmp_path / "file").touch()
    assert given_path(tmp_path / "file" / "x", "the job folder") == tmp_path / "file" / "x"
