"""The backend process and its client, against a backend of the standard library that misbehaves on demand."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from polling import ends

from warpnoise_addon.backend import BackendCommand, connect_backend, find_backend, run_job, start_backend
from warpnoise_addon.backend.locate import backend_environment
from warpnoise_addon.errors import (
    BackendDiedError,
    BackendError,
    BackendHungError,
    BackendMissingError,
    BackendVersionError,
    Cancelled,
    JobError,
    SettingsError,
)

from ..result_files import frames_of

FAKE = Path(__file__).parents[1] / "fake_backend.py"


def command(mode: str) -> BackendCommand:
    return BackendCommand((sys.executable, str(FAKE), mode), "the test")


@pytest.fixture
def backends():
    """Starts backends and ends them after the test; none may be left."""
    started = []

    def start(mode: str, **options):
        started.append(start_backend(command(mode), **({"silence_seconds": 1.0} | options)))
        return started[-1]

    yield start
    for backend in started:
        backend.close()
        assert not backend.alive


@pytest.fixture
def job(tmp_path: Path) -> dict:
    """A folder that the fake backend takes for a job of three frames."""
    (tmp_path / "color").mkdir()
    (tmp_path / "job.json").write_text("{}")
    for frame in (1, 2, 3):
        (tmp_path / "color" / f"{frame:04d}.png").write_bytes(b"frame %d" % frame)
    return {"path": str(tmp_path), "settings": {"strength": 0.5}}


def count_polls(backend, monkeypatch) -> list[str]:
    """A list that gets the job's id each time the client asks for the job."""
    polls, call = [], backend.client.call

    def counted(method: str, *parts: str, **options):
        if method == "GET" and parts[0] == "jobs":
            polls.append(parts[1])
        return call(method, *parts, **options)

    monkeypatch.setattr(backend.client, "call", counted)
    return polls


def test_runs_a_job_and_reports_every_stage(backends, job):
    views = []
    last = run_job(backends("good"), job, progress=views.append)
    assert (last["state"], last["frames_done"], last["frames_total"], last["newest_frame"]) == ("done", 3, 3, 3)
    assert last["warnings"] == ["a warning of the fake backend"]
    assert views[0]["frames_done"] < 3
    assert (frames_of(Path(job["path"])) / "0002.png").read_bytes() == b"frame 2"
    sent = json.loads((Path(job["path"]) / "request.json").read_text())
    assert sent == job


def test_status_names_device_and_styles(backends):
    backend = backends("good")
    assert backend.status["device_name"] == "a fake device"
    assert backend.status["models"][0]["styles"] == ["ink", "pastel"]


def test_the_token_is_in_the_environment_only(backends):
    backend = backends("good")
    arguments = Path(f"/proc/{backend.process.pid}/cmdline")
    if not arguments.exists():
        pytest.skip("this system has no /proc")
    token = backend_environment_of(backend.process.pid)["WARPNOISE_TOKEN"]
    assert len(token) >= 32
    assert token not in arguments.read_text()


def backend_environment_of(pid: int) -> dict[str, str]:
    pairs = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


@pytest.mark.parametrize(
    ("mode", "words"),
    [("old", "too old"), ("new", "too new"), ("schema", "too new")],
)
def test_versions_are_compared(mode, words):
    with pytest.raises(BackendVersionError, match=words):
        start_backend(command(mode))


def test_a_backend_that_fails_to_start_reports_why():
    with pytest.raises(BackendMissingError, match=r"exit code 1[\s\S]*libtorch_cpu"):
        start_backend(command("broken"))


def test_an_error_for_a_python_without_the_package_says_what_to_install():
    bare = BackendCommand((sys.executable, "-I", "-m", "warpnoise"), "the test")
    with pytest.raises(BackendMissingError, match="pip install 'warpnoise"):
        start_backend(bare)


def test_a_program_that_cannot_be_started(tmp_path):
    with pytest.raises(BackendMissingError, match="cannot be started"):
        start_backend(BackendCommand((str(tmp_path),), "the test"))


@pytest.mark.slow
def test_a_backend_that_is_never_ready_is_ended():
    with pytest.raises(BackendHungError, match="not ready after 1 s"):
        start_backend(command("mute"), seconds=1.0)


def test_cancelling_the_start():
    with pytest.raises(Cancelled):
        start_backend(command("mute"), cancelled=lambda: True)


def test_a_backend_that_dies_in_the_middle(backends, job):
    backend = backends("dies")
    with pytest.raises(BackendDiedError, match=r"exit code 70[\s\S]*on fire") as caught:
        run_job(backend, job)
    assert "***" in str(caught.value)  # its token was in its last words
    assert (frames_of(Path(job["path"])) / "0001.png").exists()


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_killed_backend_is_noticed_at_once(backends, job, monkeypatch):
    backend = backends("slow")

    polls = count_polls(backend, monkeypatch)

    def kill(view):
        if view["state"] == "running":
            os.kill(backend.process.pid, signal.SIGKILL)
            polls.clear()

    with pytest.raises(BackendDiedError, match="killed by SIGKILL"):
        run_job(backend, job, progress=kill)
    assert len(polls) <= 3


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_stopped_backend_is_noticed_and_can_be_ended(backends, job, monkeypatch):
    backend = backends("slow")
    monkeypatch.setattr(backend.client, "_request_seconds", 0.3)
    with pytest.raises(BackendHungError, match="has not answered for"):
        run_job(backend, job, progress=lambda view: os.kill(backend.process.pid, signal.SIGSTOP))
    backend.process.stop(0.3)
    assert not backend.alive


def test_a_job_without_progress_is_stopped(backends, job):
    backend = backends("stalls")
    with pytest.raises(BackendHungError, match="no progress"):
        run_job(backend, job)
    assert not backend.alive


def test_cancel_stops_the_job_and_keeps_the_backend(backends, job, monkeypatch):
    backend = backends("slow")
    polls = count_polls(backend, monkeypatch)
    with pytest.raises(Cancelled):
        run_job(backend, job, cancelled=lambda: True)
    assert len(polls) <= 20
    assert backend.alive


def test_a_job_that_does_not_stop_loses_its_process(backends, job):
    backend = backends("deaf")
    with pytest.raises(Cancelled, match="its process was ended"):
        run_job(backend, job, cancelled=lambda: True, cancel_seconds=0.2)
    assert not backend.alive


@pytest.mark.parametrize(
    ("mode", "code", "status", "words"),
    [("refuses", "settings", 2, "got 2.0"), ("fails", "model", 5, "sour")],
)
def test_the_backends_errors_keep_their_kind(backends, job, mode, code, status, words):
    with pytest.raises(JobError, match=words) as caught:
        run_job(backends(mode), job)
    assert (caught.value.code, caught.value.exit_status) == (code, status)


def test_something_else_that_answers():
    with pytest.raises(BackendError, match="not a Warpnoise backend"):
        start_backend(command("foreign"))


def test_it_ends_when_its_parent_is_killed(tmp_path):
    script = (
        "import sys; sys.path.insert(0, {root!r})\n"
        "from warpnoise_addon.backend import BackendCommand, start_backend\n"
        "backend = start_backend(BackendCommand({argv!r}, 'the test'))\n"
        "print(backend.process.pid, flush=True)\n"
        "import time; time.sleep(60)\n"
    ).format(root=str(FAKE.parents[2]), argv=command("good").argv)
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    with parent:
        pid = int(parent.stdout.readline())
        parent.kill()
    assert ends(pid)


def test_connecting_to_a_backend_that_runs_already(backends, job, monkeypatch):
    running = backends("good")
    token = running.client._token
    other = connect_backend(f"http://127.0.0.1:{running.client.address.port}", token)
    assert other.process is None
    assert run_job(other, job)["state"] == "done"
    with pytest.raises(BackendError, match="does not accept the token"):
        connect_backend(f"127.0.0.1:{running.client.address.port}", "another-token-of-some-length")
    running.close()
    with pytest.raises(BackendDiedError, match="nobody answers"):
        other.call("GET", "status")
    assert not other.alive


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1:1",
        "http://127.0.0.1",
        "http://127.0.0.1:x",
        "https://me:word@there",
        "https://there?token=1",
        "",
    ],
)
def test_bad_urls(url):
    with pytest.raises(SettingsError, match="URL"):
        connect_backend(url, "token")


class TestFinding:
    def test_the_variable_wins(self, tmp_path):
        found = find_backend(str(tmp_path / "preferred"), {"WARPNOISE_PYTHON": sys.executable, "PATH": ""})
        assert found.argv == (sys.executable, "-m", "warpnoise")
        assert "WARPNOISE_PYTHON" in found.source

    def test_a_virtual_environments_folder(self, tmp_path):
        python = tmp_path / "bin" / "python"
        python.parent.mkdir()
        python.symlink_to(sys.executable)
        assert find_backend(str(tmp_path), {}).argv[0] == str(python)

    def test_the_command_on_path(self, tmp_path):
        program = tmp_path / "warpnoise"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        assert find_backend("", {"PATH": str(tmp_path)}).argv == (str(program),)

    @pytest.mark.parametrize("name", ["missing", "folder", "file"])
    def test_what_is_named_and_is_no_program(self, tmp_path, name):
        (tmp_path / "folder").mkdir()
        (tmp_path / "file").write_text("")
        with pytest.raises(BackendMissingError, match="preferences name"):
            find_backend(str(tmp_path / name), {"PATH": ""})

    def test_nothing_at_all(self):
        with pytest.raises(BackendMissingError, match="pip install 'warpnoise"):
            find_backend("", {"PATH": ""})

    def test_blenders_own_python_settings_stay_out(self):
        environment = backend_environment("secret", {"PYTHONHOME": "/x", "PYTHONPATH": "/y", "LANG": "C"})
        assert environment == {"LANG": "C", "PYTHONUTF8": "1", "WARPNOISE_TOKEN": "secret"}
