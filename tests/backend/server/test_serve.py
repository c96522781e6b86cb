"""The process itself: `warpnoise serve` as the add-on and a user start it, and every way in which it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from warpnoise.errors import ServerError
from warpnoise.server.serve import is_loopback, listen

pytestmark = pytest.mark.slow

TOKEN = "a-token-for-the-tests-0123456789"


@contextmanager
def serve(tmp_path, *arguments: str, token: str | None = TOKEN) -> Iterator[subprocess.Popen]:
    environment = dict(os.environ, XDG_STATE_HOME=str(tmp_path / "state"), CUDA_VISIBLE_DEVICES="")
    environment.pop("WARPNOISE_TOKEN", None)
    if token is not None:
        environment["WARPNOISE_TOKEN"] = token
    process = subprocess.Popen(
        [sys.executable, "-m", "warpnoise", "serve", *arguments],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()


def ready(process: subprocess.Popen) -> dict:
    line = process.stdout.readline()
    assert line, process.stderr.read()
    return json.loads(line)


def test_announced_served_and_shut_down(tmp_path):
    with serve(tmp_path, "--announce") as process:
        said = ready(process)
        assert said["warpnoise"] and said["interface"] == 2 and said["host"] == "127.0.0.1" and said["port"] > 0
        url = f"http://127.0.0.1:{said['port']}"
        assert httpx.get(f"{url}/v2/status").status_code == 401
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
            status = client.get("/v2/status").json()
            assert (status["version"], status["interface"], status["job_schema"]) == (said["warpnoise"], 2, 2)
            assert (status["device"], status["device_name"] != "") == ("cpu", True)
            assert 0 < status["memory_free"] <= status["memory_total"]
            assert status["memory"].startswith("Models of up to ")
            assert client.get("/v2/nothing", params={"token": "of no use"}).status_code == 404
            assert client.post("/v2/shutdown").status_code == 202
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0
        assert output == ""
        assert TOKEN not in errors and "Traceback" not in errors


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(tmp_path, number):
    with serve(tmp_path, "--announce") as process:
        ready(process)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        assert "Traceback" not in errors


def test_it_ends_with_its_parent(tmp_path):
    with serve(tmp_path, "--announce", "--exit-with-parent") as process:
        ready(process)
        _, errors = process.communicate(timeout=60)  # closes its standard input
    assert process.returncode == 0
    assert "standard input was closed" in errors


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_started_by_hand_it_prints_its_address_and_token_file_but_not_the_token(tmp_path):
    with serve(tmp_path, token=None) as process:
        line = process.stdout.readline()
        path = tmp_path / "state" / "warpnoise" / "token"
        token = path.read_text().strip()
        assert line.startswith("warpnoise ") and f"token in {path}" in line and token not in line
        url = line.split(" listens on ")[1].split(",")[0]
        assert httpx.get(f"{url}/v2/status", headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_a_port_in_use(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with serve(tmp_path, "--port", str(port)) as process:
            output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (6, "")
    assert errors == (
        f"error: Port {port} on 127.0.0.1 is in use, perhaps by another `warpnoise serve`. "
        "Stop that one, choose another --port, or --port 0 for any free one.\n"
    )


def test_a_bad_token(tmp_path):
    with serve(tmp_path, token="short") as process:
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (6, "")
    assert (
        errors.startswith("error: The environment variable WARPNOISE_TOKEN holds no usable token")
        and "short" not in errors
    )


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid", "x" * 300])
def test_an_address_that_is_not_this_machine_s(host):
    with pytest.raises(ServerError, match="Cannot listen on"):
        listen(host, 0)


@pytest.mark.parametrize(("host", "expected"), [("127.0.0.1", True), ("localhost", True), ("0.0.0.0", False)])
def test_loopback(host, expected):
    with listen(host, 0) as listener:
        assert is_loopback(listener) is expected


def test_a_wider_address_is_warned_of(tmp_path):
    with serve(tmp_path, "--announce", "--host", "0.0.0.0") as process:
        ready(process)
        process.terminate()
        _, errors = process.communicate(timeout=60)
    assert "which other machines can reach" in errors
