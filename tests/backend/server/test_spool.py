"""The server's spool: what is found again after a restart, and what is deleted when."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from fastapi import HTTPException
from warpnoise.errors import JobLockedError, ServerError
from warpnoise.server import uploads
from warpnoise.server.schema import UploadLimits
from warpnoise.server.uploads import Uploads


@pytest.fixture
def spool(tmp_path) -> Path:
    return tmp_path / "spool"


def idle(folder: Path) -> None:
    """No job is on it."""


def send(kept: Uploads, upload: str, data: bytes) -> None:
    with kept.arriving(upload, "color/0001.png", len(data)) as (file, finish):
        file.write(data)
        finish(hashlib.sha256(data).hexdigest())


@pytest.fixture
def clock(monkeypatch) -> SimpleNamespace:
    """The server's own time, which stands still."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(uploads, "time", SimpleNamespace(monotonic=lambda: clock.now, time=time.time))
    return clock


def test_sent_files_are_found_again(spool):
    first = Uploads(spool, UploadLimits(), idle)
    upload = first.create()
    for name in ("color/0001.png", "color/0002.png"):
        with first.arriving(upload.id, name, 1) as (file, finish):
            file.write(b"x")
            finish("ab")
    first.close()
    upload.record("color/0003.png").write_text('{"size": 1, "sha')  # the power went
    (upload.job / "color" / "0002.png").unlink()
    (upload.folder / "incoming" / "left").write_bytes(b"half")
    (spool / ".deleted-1").mkdir()
    (spool / "a user's own").mkdir()
    second = Uploads(spool, UploadLimits(), idle)
    assert list(second.view(upload.id).files) == ["color/0001.png"]
    assert not list((upload.folder / "incoming").iterdir())
    assert not (spool / ".deleted-1").exists() and (spool / "a user's own").is_dir()
    second.close()


def test_two_servers_do_not_share_one(spool):
    first = Uploads(spool, UploadLimits(), idle)
    with pytest.raises(ServerError, match="Another server"):
        Uploads(spool, UploadLimits(), idle)
    first.close()
    Uploads(spool, UploadLimits(), idle).close()


def test_a_spool_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ServerError, match="--uploads"):
        Uploads(tmp_path / "file" / "spool", UploadLimits(), idle)


@pytest.mark.parametrize("moved", [False, True])
def test_a_file_that_is_replaced_is_unknown_until_it_is_recorded(spool, monkeypatch, moved):
    """Whenever the power goes, no record gives a digest that the file does not have."""
    first = Uploads(spool, UploadLimits(), idle)
    upload = first.create()
    send(first, upload.id, b"old")
    os.utime(upload.job / "color/0001.png", ns=(0, 0))  # some time before
    upload.record("color/0001.png").write_text(
        json.dumps({"size": 3, "sha256": hashlib.sha256(b"old").hexdigest(), "mtime_ns": 0})
    )

    def replace(source: Path, target: Path) -> None:
        if moved:
            shutil.move(source, target)
        raise OSError("the power went")

    with monkeypatch.context() as patch:
        patch.setattr(uploads.Path, "replace", replace)
        with pytest.raises(ServerError, match="power"):
            send(first, upload.id, b"new")
    assert first.view(upload.id).files == {}
    first.close()
    second = Uploads(spool, UploadLimits(), idle)
    known = second.view(upload.id).files.get("color/0001.png")
    assert known is None if moved else known.sha256 == hashlib.sha256(b"old").hexdigest()
    second.close()


def test_a_damaged_record_takes_no_other_with_it(spool):
    first = Uploads(spool, UploadLimits(), idle)
    upload = first.create()
    send(first, upload.id, b"x")
    first.close()
    for number, text in enumerate(("", "[[[", "[]", '{"size": "x"}'), start=2):
        (upload.job / f"color/000{number}.png").write_bytes(b"x")
        upload.record(f"color/000{number}.png").write_text(text)
    second = Uploads(spool, UploadLimits(), idle)
    assert list(second.view(upload.id).files) == ["color/0001.png"]
    second.close()


def test_old_uploads_go_unless_they_are_in_use(spool, clock):
    busy: list[Path] = []
    kept = Uploads(spool, UploadLimits(days=0.01), lambda folder: "a job" if folder in busy else None)
    old, worked_on, touched = kept.create(), kept.create(), kept.create()
    busy.append(worked_on.job)
    for _ in range(4):
        clock.now += 300
        kept.get(touched.id)
        kept.delete_old()
    with pytest.raises(HTTPException):
        kept.get(old.id)
    assert not old.folder.exists()
    assert worked_on.folder.is_dir() and touched.folder.is_dir()
    with pytest.raises(JobLockedError):
        kept.delete(worked_on.id)
    kept.close()


def test_neither_a_jump_of_a_clock_nor_one_look_deletes(spool, clock, monkeypatch):
    kept = Uploads(spool, UploadLimits(days=1), idle)
    upload = kept.create()
    monkeypatch.setattr(uploads.time, "time", lambda: 4e9)
    os.utime(upload.job, (0, 0))
    clock.now += 1e9
    kept.delete_old()
    kept.delete_old()
    assert upload.folder.is_dir()
    kept.close()
    again = Uploads(spool, UploadLimits(days=1), idle)
    again.delete_old()
    assert upload.folder.is_dir()
    again.limits = UploadLimits(days=1e-6)
    clock.now += 10
    again.delete_old()
    assert upload.folder.is_dir()
    again.delete_old()
    assert not upload.folder.exists()
    again.close()


def test_idle_time_is_counted_over_several_servers(spool, clock):
    upload = None
    for _ in range(4):
        kept = Uploads(spool, UploadLimits(days=0.01), idle)
        upload = upload or kept.create()
        clock.now += 300
        kept.delete_old()
        kept.delete_old()
        kept.close()
        clock.now = 0.0
    assert not upload.folder.exists()
