"""A fake server with uploads, a job folder of three frames, and what a run leaves in it."""

from __future__ import annotations

import json
import signal
import struct
from pathlib import Path

import numpy as np
import pytest

from warpnoise_addon.backend import connect_backend, run_uploaded_job

from ...export.png_pixels import write_png16
from ...fake_server import TOKEN, FakeServer
from ...result_files import result_of

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
