"""Work that a backend does about models, in a thread: the lists, offers and downloads, removal, a base."""

from __future__ import annotations

import math
from collections.abc import Callable

from ..backend import Backend
from ..backend.answers import check
from ..backend.client import WORK_SECONDS
from ..backend.poll import follow
from ..errors import Cancelled, JobError, from_backend
from . import model_facts
from .backends import BackendPool
from .request import BackendChoice
from .session import Session
from .status import Reporter

Work = Callable[[Backend, Reporter, Callable[[], bool]], None]
"""Takes the backend, what shows the progress, and whether to stop."""
INSTALLED = "The model is installed"


def size_text(size: int) -> str:
    """``6.9 GB`` or ``12.3 MB``, in powers of ten, as hubs count."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


class ModelSession(Session):
    """Does ``work`` with the backend, which it starts or reaches, at the progress ``stage``."""

    def __init__(self, pool: BackendPool, choice: BackendChoice, stage: str, work: Work, done_text: str = "") -> None:
        super().__init__(pool, choice)
        self.done_text = done_text
        self._stage, self._do = stage, work

    def _work(self) -> None:
        self._reporter.update(stage="backend")
        backend = self._pool.acquire(self._choice, self._cancel.is_set)
        self._reporter.update(stage=self._stage)
        self._do(backend, self._reporter, self._cancel.is_set)


def list_models(backend: Backend, reporter: Reporter, cancelled: Callable[[], bool]) -> None:
    """Ask for `model_facts.listing`. Raises what `Backend.ask` raises, as the others do."""
    answer = backend.call("GET", "models", seconds=WORK_SECONDS, cancelled=cancelled)
    check("list of models", answer)
    model_facts.listing = answer


def offer_model(backend: Backend, reporter: Reporter, cancelled: Callable[[], bool], name: str) -> None:
    """Ask the hub for the facts about a download, for `model_facts.offers`."""
    path = ("models", "hub", *name.split("/", 1))
    answer = backend.call("GET", *path, query="?online=true", seconds=WORK_SECONDS, cancelled=cancelled)
    check("offer of a model", answer)
    model_facts.offers[name] = answer


def download_model(backend: Backend, reporter: Reporter, cancelled: Callable[[], bool], name: str, agreed: str) -> None:
    """Download a model from the hub, then list all. ``agreed``: the license that the user agreed to."""
    body = {"name": name, "license": agreed, "online": True}
    begun = backend.call("POST", "downloads", body=body, seconds=WORK_SECONDS, cancelled=cancelled)
    for answer in follow(backend, "download", begun, cancelled, math.inf):
        done, total = answer["bytes_done"], answer["bytes_total"]
        reporter.update(
            share=done / total if total else 0.0,
            amount=f"{size_text(done)} / {size_text(total)}",
            seconds_left=answer.get("seconds_left"),
        )
    if answer["state"] == "cancelled":
        raise Cancelled("cancelled; what was downloaded stays, and the next download resumes it")
    if error := answer.get("error"):
        raise JobError(from_backend(error["message"]), error["code"])
    list_models(backend, reporter, cancelled)


def remove_model(backend: Backend, reporter: Reporter, cancelled: Callable[[], bool], name: str) -> None:
    """Delete a model that was downloaded, then list the others."""
    backend.call("DELETE", "models", "hub", *name.split("/", 1), seconds=WORK_SECONDS)
    list_models(backend, reporter, cancelled)


def set_base(backend: Backend, reporter: Reporter, cancelled: Callable[[], bool], model: str, base: str) -> None:
    """Name the folder or the downloaded model that supplies the parts that the file ``model`` lacks, then list all.

    Raises JobError: the base does not fit.
    """
    body = {"model": model, "base": base}
    answer = backend.call("POST", "models", "base", body=body, seconds=WORK_SECONDS)
    check("model", answer)
    if answer.get("error"):
        raise JobError(from_backend(answer["error"]), answer.get("error_code") or "model")
    list_models(backend, reporter, cancelled)
