"""Files appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from warpnoise.errors import JobError, MediaError
from warpnoise.media.atomic import name_beside, replacing, write_bytes


def test_the_folder_is_made_and_nothing_is_left_beside(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a" / "b", b"new")
    assert (tmp_path / "a" / "b").read_bytes() == b"new"
    assert [file.name for file in (tmp_path / "a").iterdir()] == ["b"]


def test_an_error_in_the_block_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), replacing(path) as beside:
        beside.write_bytes(b"half")
        raise ZeroDivisionError
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="needs the device that is always full")
@pytest.mark.parametrize("error", [MediaError, JobError])
def test_a_full_disk(tmp_path: Path, error: type[Exception]) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    name_beside(path).symlink_to("/dev/full")
    with pytest.raises(error, match=r"Cannot write .*file: No space left on device\. Free some space"):
        write_bytes(path, b"new", error=error)  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(MediaError, match=r"Cannot write .*choose another folder"):
        write_bytes(tmp_path / "a" / "b", b"new")


def test_neither_folders_nor_devices_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(MediaError, match="is no file"):
        write_bytes(tmp_path / "folder", b"new")
    assert (tmp_path / "folder").is_dir()
