"""Jobs on a server elsewhere, over real sockets: what is sent and fetched, and connections that break."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import time
from unittest.mock import Mock

import pytest

from warpnoise_addon.backend import run_uploaded_job
from warpnoise_addon.backend.patience import broken_pipes_raise
from warpnoise_addon.errors import BackendDiedError, Cancelled, JobError, JobFolderError

from ...result_files import frames_of, result_of
from .conftest import records, run, stylized


def test_there_and_back(server, backend, job):
    views = []
    last = run(backend, job, progress=views.append)
    assert (last["state"], last["frames_done"], last["frames_total"]) == ("done", 3, 3)
    assert server.puts[-1] == "job.json" and len(server.puts) == 7
    assert server.files[next(iter(server.files))]["passes/0002.exr"] == (job / "passes" / "0002.exr").read_bytes()
    assert server.sent_jobs == [{"upload": next(iter(server.files)), "settings": {"strength": 0.5}}]
    assert stylized(job) == ["0001.png", "0002.png", "0003.png"]
    for frame in (1, 2, 3):
        name = f"{frame:04d}.png"
        assert (frames_of(job) / name).read_bytes() == (job / "color" / name).read_bytes()
    assert (result_of(job) / "movie.mp4").read_bytes() == server.movie
    assert records(job) == ["0001.json", "0002.json", "0003.json"]
    assert views[0]["stage"] == "uploading" and (views[0]["frames_total"], views[0]["frames_kept"]) == (3, 0)
    for view in views:
        if view["newest_frame"] is not None:
            assert view["newest_frame"] in (1, 2, 3)


def test_a_frame_that_a_key_frame_overtakes_is_fetched_later(server, backend, job):
    refused = []

    def before(method, path):
        if path.endswith("/frames/1") and any(each["state"] == "running" for each in server.jobs.values()):
            refused.append(path)
            return 404, "not_found"
        return None

    server.before = before
    assert run(backend, job)["state"] == "done"
    assert refused and stylized(job) == ["0001.png", "0002.png", "0003.png"]


@pytest.mark.slow
def test_frames_that_wait_for_accumulation_stay_on_the_server(server, backend, job):
    def before(method, path):
        return (404, "not_found") if "/frames/" in path else None

    server.before = before
    request = {"path": str(job), "settings": {"accumulation": 0.5}, "frames": "1:2"}
    last = run_uploaded_job(backend, request, delete_after=True)
    assert last["state"] == "done" and len(server.files) == 1
    (warning,) = last["warnings"]
    assert "averages them" in warning
    assert stylized(job) == []
    with pytest.raises(JobError):
        run(backend, job)


@pytest.mark.slow
def test_existing_files_are_not_sent_again(server, backend, job):
    run(backend, job)
    server.puts.clear()
    (job / "color" / "0002.png").write_bytes((job / "color" / "0003.png").read_bytes())
    run(backend, job)
    assert server.puts == ["color/0002.png"] and len(server.files) == 1
    assert (frames_of(job) / "0002.png").read_bytes() == (job / "color" / "0003.png").read_bytes()


@pytest.mark.slow
def test_a_frame_that_we_have_is_not_fetched_again(server, backend, job):
    run(backend, job)
    before = (frames_of(job) / "0001.png").stat().st_mtime_ns
    (frames_of(job) / "0003.png").unlink()
    run(backend, job)
    assert (frames_of(job) / "0001.png").stat().st_mtime_ns == before
    assert (frames_of(job) / "0003.png").is_file()


@pytest.mark.slow
def test_a_copied_folder_is_another_upload(server, backend, job, tmp_path):
    run(backend, job)
    shutil.copytree(job, tmp_path / "copy")
    run(backend, tmp_path / "copy")
    assert len(server.files) == 2


@pytest.mark.slow
def test_a_deleted_upload_is_created_again(server, backend, job):
    run(backend, job)
    server.files.clear()
    server.puts.clear()
    run(backend, job)
    assert len(server.puts) == 7


@pytest.mark.slow
def test_a_run_that_was_cut_off_is_ended_first(server, backend, job):
    run(backend, job)
    upload = next(iter(server.files))
    server.jobs["old"] = {"upload": upload, "state": "running", "done": 0}
    server.running[upload] = "old"
    run(backend, job)
    assert server.jobs["old"]["state"] == "cancelled"


def test_deleted_afterwards(server, backend, job):
    run(backend, job, delete_after=True)
    assert server.files == {} and not (job / ".upload.json").exists()


def test_cancelled_while_sending(server, backend, job):
    with pytest.raises(Cancelled, match="not sent again"):
        run(backend, job, cancelled=lambda: len(server.puts) >= 2)
    assert len(server.puts) == 2 and server.jobs == {}
    server.puts.clear()
    run(backend, job)
    assert len(server.puts) == 5


def test_cancelled_while_it_computes(server, backend, job):
    server.hold.clear()
    with pytest.raises(Cancelled):
        run(backend, job, cancelled=lambda: bool(server.jobs))
    assert server.jobs["job0"]["state"] == "cancelled"


def test_a_server_that_dies_while_files_are_sent(server, backend, job, monkeypatch):
    def die(method: str, path: str) -> None:
        if method == "PUT" and len(server.puts) == 2:
            server._server.socket.close()
            raise ConnectionAbortedError

    server.before = die
    retries, sleep = [], time.sleep
    monkeypatch.setattr("warpnoise_addon.backend.connection.time.sleep", lambda s: (retries.append(s), sleep(s)))
    with pytest.raises(BackendDiedError, match="nobody answers"):
        run(backend, job)
    assert len(retries) <= 5


@pytest.mark.skipif(not hasattr(signal, "SIGPIPE"), reason="Windows has no such signal")
def test_a_broken_pipe_ends_nothing():
    reading, writing = os.pipe()
    os.close(reading)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with pytest.raises(BrokenPipeError), broken_pipes_raise():
        os.write(writing, b"anyone?")
    os.close(writing)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before and not signal.sigpending()


def test_a_connection_that_breaks_once_is_made_again(server, backend, job):
    broken = []

    def breaks(method: str, path: str) -> None:
        if method == "PUT" and not broken:
            broken.append(path)
            raise ConnectionAbortedError

    server.before = breaks
    assert run(backend, job)["state"] == "done"


def test_a_full_disk_is_no_broken_connection(server, backend, job, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    unwritable = contextlib.nullcontext(Mock(write=full))
    with monkeypatch.context() as patch:
        patch.setattr("warpnoise_addon.backend.remote.replacing", lambda path: unwritable)
        with pytest.raises(JobFolderError, match="The disk is full"):
            run(backend, job)
    assert run(backend, job)["state"] == "done"
