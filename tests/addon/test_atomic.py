"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from warpnoise_addon.atomic import atomic_write, replacing


def test_content_replaces_the_previous_content(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    atomic_write(path, "äöü\n")
    atomic_write(path, b"second")
    assert path.read_bytes() == b"second"
    assert [entry.name for entry in path.parent.iterdir()] == ["file.json"]


def test_failed_block_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(os.name != "posix", reason="modes")
def test_modes(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        atomic_write(tmp_path / "shared", "x")
        atomic_write(tmp_path / "private", "x", private=True)
    finally:
        os.umask(before)
    assert (tmp_path / "shared").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_link_at_the_name_is_replaced_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("somebody's")
    (tmp_path / "file").symlink_to(other)
    atomic_write(tmp_path / "file", "ours")
    assert other.read_text() == "somebody's"
    assert (tmp_path / "file").read_text() == "ours" and not (tmp_path / "file").is_symlink()
