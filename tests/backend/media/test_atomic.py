"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from warpnoise.errors import JobError, MediaError, WarpnoiseError
from warpnoise.media.atomic import name_beside, replacing, replacing_by_name, write_bytes


def test_the_folder_is_made_and_nothing_is_left_beside(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a" / "b", b"new")
    assert (tmp_path / "a" / "b").read_bytes() == b"new"
    assert [file.name for file in (tmp_path / "a").iterdir()] == ["b"]


def test_an_error_in_the_block_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), replacing(path) as file:
        file.write(b"half")
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), replacing_by_name(path) as beside:
        beside.write_bytes(b"half")
        raise ZeroDivisionError
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("error", [MediaError, JobError])
def test_a_full_disk_leaves_the_old_file(
    tmp_path: Path, error: type[WarpnoiseError], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "file"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(error, match=r"Cannot write .*file: No space left on device\. Free some space"):
        write_bytes(path, b"new", error=error)
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_link_under_the_temporary_name_is_not_followed(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_bytes(b"precious")
    shared = tmp_path / "shared"
    for write in (_write, _write_by_name):
        path = shared / write.__name__
        shared.mkdir(exist_ok=True)
        name_beside(path).symlink_to(theirs)
        write(path)
        assert path.read_bytes() == b"new"
        assert theirs.read_bytes() == b"precious"
    assert sorted(file.name for file in shared.iterdir()) == ["_write", "_write_by_name"]


def test_a_link_at_the_target_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_bytes(b"precious")
    (tmp_path / "file").symlink_to(tmp_path / "theirs")
    write_bytes(tmp_path / "file", b"new")
    assert (tmp_path / "theirs").read_bytes() == b"precious"
    assert (tmp_path / "file").read_bytes() == b"new"
    assert not (tmp_path / "file").is_symlink()


def test_a_file_that_takes_the_temporary_name_meanwhile_is_not_published(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with pytest.raises(MediaError, match="another process writes it"), replacing(path) as file:
        file.write(b"new")
        name_beside(path).unlink()
        name_beside(path).write_bytes(b"half of another's")
    assert not path.exists()


def test_the_leftover_of_a_killed_process_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "file"
    name_beside(path).mkdir()
    (name_beside(path) / "file").write_bytes(b"half")
    _write(path)
    name_beside(path).write_bytes(b"half")
    _write_by_name(path)
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def _write(path: Path) -> None:
    write_bytes(path, b"new")


def _write_by_name(path: Path) -> None:
    with replacing_by_name(path) as beside:
        beside.write_bytes(b"new")


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(MediaError, match=r"Cannot write .*choose another folder"):
        write_bytes(tmp_path / "a" / "b", b"new")


def test_neither_folders_nor_devices_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(MediaError, match="is not a regular file"):
        write_bytes(tmp_path / "folder", b"new")
    assert (tmp_path / "folder").is_dir()
