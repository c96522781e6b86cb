"""Jobs on a server elsewhere, over real sockets: what is sent, what is taken, and a server that misbehaves."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import signal
import struct
import subprocess
import time
import zlib
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from warpnoise_addon.backend import connect_backend, run_uploaded_job
from warpnoise_addon.backend.client import Unreachable
from warpnoise_addon.backend.patience import broken_pipes_raise
from warpnoise_addon.backend.pictures import NotThePicture, check_png
from warpnoise_addon.errors import BackendDiedError, BackendError, Cancelled, JobError, JobFolderError
from warpnoise_addon.settings import make_settings
from warpnoise_addon.stylize.backends import BackendPool
from warpnoise_addon.stylize.request import BackendChoice, StylizeRequest
from warpnoise_addon.stylize.status import Reporter
from warpnoise_addon.stylize.steps import acquire_backend, stylize_folder

from ..export.png_pixels import SIGNATURE, write_png16
from ..fake_server import TOKEN, FakeServer
from ..result_files import frames_of, result_of

WIDTH, HEIGHT = 6, 4


@pytest.fixture(autouse=True)
def broken_pipes_kill():
    """As in Blender 4.3, and not in the wheels."""
    if not hasattr(signal, "SIGPIPE"):
        yield
        return
    before = signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGPIPE, before)


@pytest.fixture
def server():
    server = FakeServer()
    yield server
    server.close()


@pytest.fixture
def backend(server):
    return connect_backend(server.url, TOKEN, silence_seconds=1.0)


def exr(pixels: bytes) -> bytes:
    """An OpenEXR file of one chunk, as far as its structure goes."""
    header = b"v/1\x01" + struct.pack("<I", 2) + b"compression\0compression\0" + struct.pack("<IB", 1, 0) + b"\0"
    return header + struct.pack("<Q", len(header) + 8) + struct.pack("<iI", 0, len(pixels)) + pixels


@pytest.fixture
def job(tmp_path) -> Path:
    """A job folder of three frames."""
    folder = tmp_path / "job"
    for kind in ("color", "passes"):
        (folder / kind).mkdir(parents=True)
    for frame in (1, 2, 3):
        write_png16(folder / "color" / f"{frame:04d}.png", np.full((HEIGHT, WIDTH, 3), frame * 1000, np.uint16))
        (folder / "passes" / f"{frame:04d}.exr").write_bytes(exr(b"passes %d" % frame * 100_000))
    scene = {"width": WIDTH, "height": HEIGHT}
    (folder / "job.json").write_text(json.dumps({"scene": scene, "frames": [{"frame": f} for f in (1, 2, 3)]}))
    return folder


def run(backend, folder: Path, **options):
    return run_uploaded_job(backend, {"path": str(folder), "settings": {"strength": 0.5}}, **options)


def stylized(folder: Path) -> list[str]:
    return sorted(path.name for path in (result_of(folder) / "frames").glob("*"))


def records(folder: Path) -> list[str]:
    return sorted(path.name for path in (result_of(folder) / "records").glob("*"))


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


def test_existing_files_are_not_sent_again(server, backend, job):
    run(backend, job)
    server.puts.clear()
    (job / "color" / "0002.png").write_bytes((job / "color" / "0003.png").read_bytes())
    run(backend, job)
    assert server.puts == ["color/0002.png"] and len(server.files) == 1
    assert (frames_of(job) / "0002.png").read_bytes() == (job / "color" / "0003.png").read_bytes()


def test_a_frame_that_we_have_is_not_fetched_again(server, backend, job):
    run(backend, job)
    before = (frames_of(job) / "0001.png").stat().st_mtime_ns
    (frames_of(job) / "0003.png").unlink()
    run(backend, job)
    assert (frames_of(job) / "0001.png").stat().st_mtime_ns == before
    assert (frames_of(job) / "0003.png").is_file()


def test_a_copied_folder_is_another_upload(server, backend, job, tmp_path):
    run(backend, job)
    shutil.copytree(job, tmp_path / "copy")
    run(backend, tmp_path / "copy")
    assert len(server.files) == 2


def test_a_deleted_upload_is_created_again(server, backend, job):
    run(backend, job)
    server.files.clear()
    server.puts.clear()
    run(backend, job)
    assert len(server.puts) == 7


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


@pytest.mark.parametrize(
    ("status", "code", "exit_status"), [(507, "disk_full", 6), (413, "too_large", 6), (400, "job", 3)]
)
def test_files_that_are_refused(server, backend, job, status, code, exit_status):
    server.before = lambda method, path: (status, code) if method == "PUT" else None
    with pytest.raises(JobError, match=code) as caught:
        run(backend, job)
    assert caught.value.exit_status == exit_status


@pytest.mark.parametrize("missing", ["job.json", "color/0002.png", "passes/0003.exr"])
def test_files_that_are_missing_here(server, backend, job, missing):
    (job / missing).unlink()
    with pytest.raises(JobFolderError, match=Path(missing).name):
        run(backend, job)
    assert server.jobs == {}


@pytest.mark.parametrize("content", ["{", "[]", '{"frames": [{}]}', '{"frames": [], "scene": {"width": "wide"}}'])
def test_a_job_file_of_another_kind(backend, job, content):
    (job / "job.json").write_text(content)
    with pytest.raises(JobFolderError, match=r"job\.json"):
        run(backend, job)


def png(
    width: int = WIDTH, height: int = HEIGHT, depth: int = 16, color: int = 2, pixels: bytes | None = None
) -> bytes:
    """A PNG with that header; its pixels fit it, or are those given."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    if pixels is None:
        pixels = bytes(height * (1 + width * {2: 3, 6: 4}.get(color, 1) * depth // 8))
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


WRONG = {
    "a shell script": b"#!/bin/sh\nrm -rf /\n",
    "another size": png(width=7),
    "palette": png(color=3, depth=8),
    "a bomb": png(pixels=bytes(1 << 24)),
    "too few pixels": png(pixels=b"\0"),
    "cut off": png()[:-20],
    "something after it": png() + b"#!/bin/sh",
    "damaged": png()[:45] + b"\xff" + png()[46:],
    "nothing": b"",
}


@pytest.mark.parametrize("what", WRONG)
def test_pictures_of_another_size_are_rejected(server, backend, job, what):
    run(backend, job)
    record = (result_of(job) / "records" / "0002.json").read_text()
    kept = (frames_of(job) / "0002.png").read_bytes()
    server.frame = lambda frame: (WRONG[what] if frame == 2 else png(), {"ETag": f'"{frame:032x}"'})
    with pytest.raises(BackendError, match="frame 2 from the server was rejected"):
        run(backend, job)
    assert (frames_of(job) / "0002.png").read_bytes() == kept  # the old one stays, with its record
    assert (result_of(job) / "records" / "0002.json").read_text() == record
    assert stylized(job) == ["0001.png", "0002.png", "0003.png"]


@pytest.mark.parametrize("picture", [png(), png(color=6), png(depth=8), png(depth=8, color=6)])
def test_pictures_that_are_accepted(tmp_path, picture):
    (tmp_path / "a.png").write_bytes(picture)
    with (tmp_path / "a.png").open("rb") as file:
        check_png(file, WIDTH, HEIGHT)
        with pytest.raises(NotThePicture, match="expected 4 x 6 pixels, got 6 x 4"):
            check_png(file, HEIGHT, WIDTH)


def test_an_answer_that_is_too_long_is_not_read(server, backend, job):
    server.frame = lambda frame: (png(), {"Content-Length": str(1 << 40)})
    with pytest.raises(BackendError, match="expected at most"):
        run(backend, job)
    assert stylized(job) == []


def test_an_answer_that_is_cut_off(server, backend, job):
    server.frame = lambda frame: (png()[:-9], {"Content-Length": str(len(png())), "Connection": "close"})
    with pytest.raises(BackendDiedError, match="before the end"):
        run(backend, job)
    assert stylized(job) == []


@pytest.mark.parametrize("tag", ["../../x", "", "x" * 32, "0" * 500])
def test_a_record_without_a_digest_is_not_kept(server, backend, job, tag):
    server.frame = lambda frame: (png(), {"ETag": f'"{tag}"'})
    assert run(backend, job)["state"] == "done"
    assert stylized(job) == ["0001.png", "0002.png", "0003.png"] and records(job) == []


def test_a_movie_of_another_format(server, backend, job):
    server.movie = b"MZ this is a program"
    with pytest.raises(BackendError, match="not an MP4"):
        run(backend, job)
    assert not (result_of(job) / "movie.mp4").exists() and "0003.png" in stylized(job)
    server.movie = None
    assert run(backend, job)["warnings"] == ["the server made no movie"]


def test_a_folder_that_is_worked_on_is_left_alone(server, job):
    from warpnoise_addon.export.files import JobFolder

    choice = choice_for(server, job)
    pool, reporter = BackendPool(), Reporter()
    request = StylizeRequest(job, 1, 3, scene="Scene", backend=choice)
    acquire_backend(pool, request, reporter, lambda: False)
    with JobFolder(job), pytest.raises(JobFolderError, match="Another process"):
        stylize_folder(pool, request, reporter, lambda: False)
    assert stylize_folder(pool, request, reporter, lambda: False)["state"] == "done"
    assert reporter.status.newest == frames_of(job) / "0003.png" and reporter.status.newest.is_file()
    assert TOKEN not in "".join(path.read_text() for path in job.rglob("*.json"))


def choice_for(server: FakeServer, folder: Path) -> BackendChoice:
    token = folder.parent / "token"
    token.write_text(f"{TOKEN}\n")
    return BackendChoice(url=server.url, token_file=str(token))


def test_a_model_missing_on_the_server_is_reported_before_the_render(server, job):
    settings = make_settings(model="/home/me/models/other")
    request = StylizeRequest(job, 1, 3, scene="Scene", settings=settings, backend=choice_for(server, job))
    with pytest.raises(JobError, match="says model"):
        acquire_backend(BackendPool(), request, Reporter(), lambda: False)


def test_before_the_render_all_is_checked_that_the_run_will_ask_for(server, job):
    choice = replace(choice_for(server, job), device="cpu", memory={"quantize": "4bit"})
    request = StylizeRequest(job, 1, 3, scene="Scene", frame_size=(96, 48), backend=choice)
    acquire_backend(BackendPool(), request, Reporter(), lambda: False)
    (checked,) = server.checked
    assert checked.pop("settings") == dict(request.settings)
    assert checked == {"size": [96, 48], "device": "cpu", "quantize": "4bit"}


def test_without_uploads_only_this_machine_will_do(server, monkeypatch):
    server.uploads = None
    assert not connect_backend(server.url, TOKEN).takes_uploads  # it sees our folders
    monkeypatch.setattr("warpnoise_addon.backend.locate.LOOPBACK", ())
    with pytest.raises(BackendError, match="--uploads FOLDER"):
        connect_backend(server.url, TOKEN)


def test_unencrypted_traffic_is_warned_of(server, job, monkeypatch):
    request = StylizeRequest(job, 1, 3, scene="Scene", backend=choice_for(server, job))
    for expected in (False, True):
        reporter = Reporter()
        acquire_backend(BackendPool(), request, reporter, lambda: False)
        assert any("unencrypted" in text for text in reporter.status.warnings) is expected
        monkeypatch.setattr("warpnoise_addon.backend.locate.LOOPBACK", ())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> tuple[Path, Path]:
    """A certificate of our own for 127.0.0.1, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    folder = tmp_path_factory.mktemp("tls")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key", "-out", "certificate"]
    command += ["-days", "2", "-subj", "/CN=test"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)
    return folder / "certificate", folder / "key"


def test_encrypted(certificate, job, monkeypatch):
    server = FakeServer(certificate)
    try:
        with pytest.raises(BackendError, match=r"certificate of https://127\.0\.0\.1:[0-9]+ is not accepted"):
            connect_backend(server.url, TOKEN)
        with pytest.raises((BackendError, Unreachable)):
            connect_backend(server.url.replace("https", "http"), TOKEN, silence_seconds=0.5)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        backend = connect_backend(server.url, TOKEN)
        assert not backend.client.address.readable_by_others
        assert run(backend, job)["state"] == "done"
    finally:
        server.close()


def test_plain_http_where_https_is_expected(server):
    with pytest.raises(BackendError, match="give http://"):
        connect_backend(server.url.replace("http", "https"), TOKEN)


def test_a_full_disk_is_no_broken_connection(server, backend, job, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    unwritable = contextlib.nullcontext(Mock(write=full))
    with monkeypatch.context() as patch:
        patch.setattr("warpnoise_addon.backend.remote.replacing", lambda path: unwritable)
        with pytest.raises(JobFolderError, match="The disk is full"):
            run(backend, job)
    assert run(backend, job)["state"] == "done"
