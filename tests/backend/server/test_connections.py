"""Connections from strangers: silent ones are ended, and many lock nobody out."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest
from warpnoise.server.app import create_app
from warpnoise.server.serve import limited_protocol

from .conftest import STATUS, TOKEN, Running, serving

MOST = 8
HEAD = b"GET /v2/status HTTP/1.1\r\nHost: here\r\n"


@pytest.fixture
def limited() -> Iterator[Running]:
    """A server that takes few connections, and waits shortly for a head."""
    protocol = limited_protocol(MOST, head_seconds=0.3)
    with serving(lambda here: create_app(here.queue, TOKEN, lambda: STATUS, here.count_shutdown), protocol) as here:
        yield here


def connect(here: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", here.port), timeout=5)


def ended(connection: socket.socket) -> bool:
    """Waits at most five seconds for the other side to end it; what it says before is passed over."""
    with contextlib.suppress(ConnectionResetError):
        while connection.recv(1000):
            pass
    return True


@pytest.mark.slow
@pytest.mark.parametrize("sent", [b"", b"GET", HEAD, HEAD + b"\r\n"])
def test_a_silent_connection_is_ended(limited: Running, sent: bytes) -> None:
    with connect(limited) as connection:
        connection.sendall(sent)
        assert ended(connection)


@pytest.mark.slow
def test_a_head_that_drips_is_ended(limited: Running) -> None:
    with connect(limited) as connection:
        connection.settimeout(0.05)
        for letter in HEAD * 10:
            with contextlib.suppress(ConnectionError):
                connection.sendall(bytes([letter]))
            try:
                if connection.recv(1) == b"":
                    return
            except TimeoutError:
                continue
            except ConnectionError:
                return
        pytest.fail("it was never ended")


def test_a_head_without_end_is_refused(limited: Running) -> None:
    with connect(limited) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(HEAD + b"X: " + b"x" * 100_000)
        assert connection.recv(100).startswith(b"HTTP/1.1 400")
        assert ended(connection)


def test_silent_connections_do_not_block_others() -> None:
    protocol = limited_protocol(MOST, head_seconds=60)
    with (
        serving(lambda here: create_app(here.queue, TOKEN, lambda: STATUS, here.count_shutdown), protocol) as here,
        contextlib.ExitStack() as stack,
    ):
        silent = [stack.enter_context(connect(here)) for _ in range(4 * MOST)]
        with here.client() as client:
            for _ in range(3):
                assert client.get("/v2/status").status_code == 200
        assert ended(silent[0])


def test_a_kept_connection_may_ask_again(limited: Running) -> None:
    with connect(limited) as connection:
        for _ in range(3):
            connection.sendall(HEAD + f"Authorization: Bearer {TOKEN}\r\n\r\n".encode())
            answer = b""
            while not answer.endswith(b'"uploads":null}'):
                answer += connection.recv(10_000)
            assert answer.startswith(b"HTTP/1.1 200")
