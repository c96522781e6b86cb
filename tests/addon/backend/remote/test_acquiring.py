"""A server as the chosen backend: what is checked before the render, uploads and encryption."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from warpnoise_addon.backend import connect_backend
from warpnoise_addon.backend.client import Unreachable
from warpnoise_addon.errors import BackendError, JobError, JobFolderError
from warpnoise_addon.settings import make_settings
from warpnoise_addon.stylize.backends import BackendPool
from warpnoise_addon.stylize.request import BackendChoice, StylizeRequest
from warpnoise_addon.stylize.status import Reporter
from warpnoise_addon.stylize.steps import acquire_backend, stylize_folder

from ...fake_server import TOKEN, FakeServer
from ...result_files import frames_of
from .conftest import run


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


@pytest.mark.slow
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
