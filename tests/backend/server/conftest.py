"""A real server in a thread, on a free port, over work that the test holds in its hands."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol
from warpnoise.errors import JobError
from warpnoise.server.app import create_app
from warpnoise.server.jobs import JobQueue, Work
from warpnoise.server.schema import NewJob, StatusView, UploadLimits
from warpnoise.server.serve import listen
from warpnoise.server.uploads import Uploads

from .held_work import HeldWork

TOKEN = "a-token-for-the-tests-0123456789"
STATUS = StatusView(
    version="0.1.0",
    interface=2,
    job_schema=2,
    device="cpu",
    device_name="a CPU",
    memory_total=2,
    memory_free=1,
    memory="what fits",
    models=[],
)


class Works:
    """``prepare`` for the queue: a HeldWork for each folder that exists."""

    def __init__(self) -> None:
        self.made: dict[str, HeldWork] = {}

    def __call__(self, request: NewJob) -> Work:
        folder = Path(request.path or "")
        if not folder.is_dir():
            raise JobError(f"{folder} is not a folder.")
        work = self.made[folder.name] = HeldWork(folder.name)
        return Work(work.frames_total, work.run)


class Running:
    """The server's address, its queue and what was asked of it."""

    def __init__(self, queue: JobQueue, works: Works) -> None:
        self.queue = queue
        self.works = works
        self.shutdowns = 0
        self.port = 0
        self.uploads: Uploads | None = None

    def count_shutdown(self) -> None:
        self.shutdowns += 1

    def client(self, token: str | None = TOKEN) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=5)


@contextmanager
def serving(app_of: Callable[[Running], FastAPI], protocol: type[H11Protocol] = H11Protocol) -> Iterator[Running]:
    """A server in a thread; it, its worker and its queue have ended afterwards."""
    works = Works()
    here = Running(JobQueue(works), works)
    listener = listen("127.0.0.1", 0)
    here.port = listener.getsockname()[1]
    config = uvicorn.Config(app_of(here), http=protocol, ws="none", log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield here
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
        assert here.queue.close(5), "the worker did not end"
        assert not thread.is_alive(), "the server did not end"


@pytest.fixture
def running() -> Iterator[Running]:
    with serving(lambda here: create_app(here.queue, TOKEN, lambda: STATUS, here.count_shutdown)) as here:
        yield here


@pytest.fixture
def client(running: Running) -> Iterator[httpx.Client]:
    with running.client() as client:
        yield client


@pytest.fixture
def running_uploads(spool: Path) -> Iterator[Running]:
    """A server that takes uploads; its fixture ``spool`` says where."""

    def app(here: Running) -> FastAPI:
        here.uploads = Uploads(spool, UploadLimits(), here.queue.busy)
        return create_app(here.queue, TOKEN, lambda: STATUS, here.count_shutdown, here.uploads)

    with serving(app) as here:
        yield here
    assert here.uploads is not None
    here.uploads.close()


@pytest.fixture
def uploading(running_uploads: Running) -> Iterator[httpx.Client]:
    with running_uploads.client() as client:
        yield client
