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
from warpnoise.server.uploads import UploadLimits, Uploads


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
    upload.journal.write_text(upload.journal.read_text() + '{"file": "color/00')  # the power went
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


def test_a_file_that_is_replaced_is_unknown_until_it_is_whole(spool, monkeypatch):
    """Whenever the power goes, the journal names no digest that the file does not have."""
    first = Uploads(spool, UploadLimits(), idle)
    upload = first.create()
    send(first, upload.id, b"old")
    journals: list[tuple[bytes, bytes]] = []

    def replace(source: Path, target: Path) -> None:
        journals.append((upload.journal.read_bytes(), (upload.job / "color/0001.png").read_bytes()))
        shutil.move(source, target)
        journals.append((upload.journal.read_bytes(), (upload.job / "color/0001.png").read_bytes()))

    monkeypatch.setattr(uploads.Path, "replace", replace)
    send(first, upload.id, b"new")
    monkeypatch.undo()
    journals.append((upload.journal.read_bytes(), b"new"))
    first.close()
    assert [content for _, content in journals] == [b"old", b"new", b"new"]
    for journal, content in journals:
        upload.journal.write_bytes(journal)
        (upload.job / "color/0001.png").write_bytes(content)
        second = Uploads(spool, UploadLimits(), idle)
        known = second.view(upload.id).files.get("color/0001.png")
        assert known is None or known.sha256 == hashlib.sha256(content).hexdigest()
        second.close()


def test_a_torn_line_takes_no_other_with_it(spool):
    first = Uploads(spool, UploadLimits(), idle)
    upload = first.create()
    first.close()
    upload.journal.write_text('{"file": "color/00')
    second = Uploads(spool, UploadLimits(), idle)
    send(second, upload.id, b"x")
    second.close()
    third = Uploads(spool, UploadLimits(), idle)
    assert list(third.view(upload.id).files) == ["color/0001.png"]
    third.close()


def test_names_in_a_journal_stay_in_the_job(spool):
    first = Uploads(spool, UploadLimits(), idle)
    upload = first.create()
    first.close()
    line = {"file": "../idle.json", "size": 1, "sha256": "ab"}
    upload.idle_file.write_bytes(b"x")
    upload.journal.write_text(json.dumps(line) + "\n[[[\n")
    second = Uploads(spool, UploadLimits(), idle)
    assert second.view(upload.id).files == {}
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
    os.utime(upload.journal, (0, 0))
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
