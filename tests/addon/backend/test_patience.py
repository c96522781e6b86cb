"""Servers that never finish an answer: every call ends by a deadline, and cancel is noticed at once."""

from __future__ import annotations

import contextlib
import io
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from warpnoise_addon.backend import client as client_module
from warpnoise_addon.backend.answers import check, read_job
from warpnoise_addon.backend.client import Client, NotModified, Unreachable
from warpnoise_addon.backend.connection import Backend
from warpnoise_addon.backend.locate import Address
from warpnoise_addon.errors import BackendError, BackendHungError, Cancelled, JobError

Behavior = Callable[[socket.socket, threading.Event], None]
OK = b'HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\nETag: "abc"\r\n\r\n'


class Server:
    """Answers each connection with ``behavior``, which ends when the event is set or the client has gone."""

    def __init__(self, behavior: Behavior) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = Address("127.0.0.1", self._listener.getsockname()[1])
        self._behavior, self.over = behavior, threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self.over.is_set():
            with contextlib.suppress(OSError):
                connection, _ = self._listener.accept()
                with connection:
                    connection.settimeout(5)
                    self._behavior(connection, self.over)

    def close(self) -> None:
        self.over.set()
        with contextlib.suppress(OSError), socket.create_connection((self.address.host, self.address.port), 1):
            pass
        self._thread.join(5)
        self._listener.close()


@contextlib.contextmanager
def serving(behavior: Behavior, seconds: float = 0.5) -> Iterator[Client]:
    server = Server(behavior)
    try:
        yield Client(server.address, "token", seconds)
    finally:
        server.close()


def repeating(start: bytes, piece: bytes, pause: float = 0.02) -> Behavior:
    """Says ``start``, and then ``piece`` for ever."""

    def behave(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(10_000)
        connection.sendall(start)
        while not over.wait(pause):
            connection.sendall(piece)

    return behave


def saying(answer: bytes) -> Behavior:
    def behave(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(10_000)
        connection.sendall(answer)

    return behave


ENDLESS = {
    "nothing": repeating(b"", b""),
    "a dripping head": repeating(b"HTTP/1.1 200 OK\r\nX: ", b"x"),
    "100 Continue": repeating(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.05),
    "a dripping body": repeating(OK, b" "),
    "dripping chunks": repeating(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_an_endless_answer_is_abandoned(name: str) -> None:
    with serving(ENDLESS[name]) as client, pytest.raises(BackendHungError, match=r"did not answer within 0\.5 s"):
        client.call("GET", "status")


@pytest.mark.parametrize("name", ENDLESS)
def test_cancel_is_noticed_while_an_answer_comes(name: str) -> None:
    stop = threading.Event()
    with serving(ENDLESS[name], seconds=60) as client:
        threading.Timer(0.3, stop.set).start()
        with pytest.raises(Cancelled):
            Backend(client, None, silence_seconds=60).call("GET", "status", cancelled=stop.is_set)


@pytest.mark.parametrize("name", ["a dripping body", "100 Continue"])
def test_a_slow_transfer_is_abandoned(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "TRANSFER_SECONDS", 0.3)
    monkeypatch.setattr(client_module, "SLOWEST_BYTES", 10_000_000)
    with serving(ENDLESS[name]) as client, pytest.raises(BackendHungError):
        client.fetch(("jobs", "1", "frames", "1"), io.BytesIO().write, 2_000_000)


def test_a_server_that_accepts_nothing_is_abandoned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "TRANSFER_SECONDS", 0.3)

    def behave(connection: socket.socket, over: threading.Event) -> None:
        over.wait(10)

    blocks = (bytes(1 << 20) for _ in range(64))
    with serving(behave) as client, pytest.raises(BackendHungError):
        client.send(("uploads", "id", "color", "1"), 64 << 20, bytes(32), blocks)


def test_cancel_is_noticed_while_a_file_is_sent() -> None:
    stop = threading.Event()

    def behave(connection: socket.socket, over: threading.Event) -> None:
        over.wait(30)

    with serving(behave) as client:
        threading.Timer(0.3, stop.set).start()
        blocks = (bytes(1 << 20) for _ in range(64))
        with pytest.raises(Cancelled):
            client.send(("uploads", "id", "color", "1"), 64 << 20, bytes(32), blocks, stop.is_set)


def test_an_unasked_304_is_no_frame() -> None:
    answer = saying(b"HTTP/1.1 304 Not Modified\r\n\r\n")
    with serving(answer) as client, pytest.raises(BackendError, match="not a Warpnoise backend"):
        client.fetch(("jobs", "1", "frames", "1"), io.BytesIO().write, 1000)
    with serving(answer) as client, pytest.raises(NotModified):
        client.fetch(("jobs", "1", "frames", "1"), io.BytesIO().write, 1000, have="abc")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"[" * 200_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n" + b'{"a": 1e9999}',
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 400 Bad\r\nContent-Length: 14\r\n\r\n" + b'{"error": [1]}',
    ],
)
def test_invalid_answers_raise_our_errors(answer: bytes) -> None:
    with serving(saying(answer)) as client, pytest.raises((BackendError, JobError, Unreachable)) as caught:
        client.call("GET", "status")
    assert "Error(" not in str(caught.value) and "Traceback" not in str(caught.value)


JOB = {"id": "1", "state": "running", "stage": "stylizing", "frames_done": 1, "warnings": ["a"], "error": None}


@pytest.mark.parametrize(
    "change",
    [
        {"id": 1},
        {"state": None},
        {"stage": []},
        {"frames_done": "1"},
        {"frames_done": True},
        {"frames_total": -1},
        {"frames_kept": 1.5},
        {"step": None},
        {"seconds_left": "soon"},
        {"seconds_since_progress": None},
        {"newest_frame": "1"},
        {"newest_frame": 1e300},
        {"warnings": 5},
        {"warnings": [{}]},
        {"warnings": {"a": 1}},
        {"error": "no"},
        {"error": {"code": "x"}},
        {"error": {"code": 1, "message": "x"}},
        {"error": {"code": "x", "message": ["x"]}},
    ],
)
def test_jobs_of_another_shape_are_refused(change: dict) -> None:
    assert read_job(JOB)["warnings"] == ["a"]
    with pytest.raises(BackendError, match="the backend's answer is not a"):
        read_job({**JOB, **change})
    with pytest.raises(BackendError, match="is not a job: its id is None"):
        read_job({})


@pytest.mark.parametrize(
    "change",
    [
        {"version": 1},
        {"device": None},
        {"device_name": []},
        {"memory_total": "much"},
        {"models": {}},
        {"models": None},
        {"models": ["default"]},
        {"models": [{}]},
        {"models": [{"name": 1}]},
        {"models": [{"name": "a", "styles": "ink"}]},
        {"models": [{"name": "a", "styles": [1]}]},
        {"uploads": True},
        {"uploads": {"largest_file": "x"}},
    ],
)
def test_a_status_of_another_shape_is_refused(change: dict) -> None:
    status = {
        "version": "1",
        "device": "cpu",
        "models": [{"name": "a", "styles": [], "prompt": False}],
        "uploads": None,
    }
    check("status", status)
    with pytest.raises(BackendError, match="the backend's answer is not a"):
        check("status", {**status, **change})
