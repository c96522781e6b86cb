"""Files that one of the two sides refuses: of the job, and what the server sends."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest

from warpnoise_addon.backend.picture_transfer import NotThePicture, check_png
from warpnoise_addon.errors import BackendDiedError, BackendError, JobError, JobFolderError

from ...export.png_pixels import SIGNATURE
from ...result_files import frames_of, result_of
from .conftest import HEIGHT, WIDTH, records, run, stylized


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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_movie_of_another_format(server, backend, job):
    server.movie = b"MZ this is a program"
    with pytest.raises(BackendError, match="not an MP4"):
        run(backend, job)
    assert not (result_of(job) / "movie.mp4").exists() and "0003.png" in stylized(job)
    server.movie = None
    assert run(backend, job)["warnings"] == ["the server made no movie"]
