"""Sessions about models, in a thread: the list of installed and suggested ones, and the download of one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..backend import Backend
from ..backend.answers import check
from ..backend.client import WORK_SECONDS
from ..backend.poll import follow
from ..errors import Cancelled, JobError, from_backend
from . import model_facts
from .backends import BackendPool
from .request import BackendChoice
from .session import Session


def size_text(size: int) -> str:
    """``6.9 GB`` or ``12.3 MB``, in powers of ten, as hubs count."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def remove_model(backend: Backend, name: str) -> None:
    """Delete a model that was downloaded. Raises what `Backend.ask` raises."""
    backend.call("DELETE", "models", "hub", *name.split("/", 1), seconds=WORK_SECONDS)


def set_base(backend: Backend, model: str, base: str) -> None:
    """Name the folder or the downloaded model that supplies the parts that the file ``model`` lacks.

    Raises what `Backend.ask` raises; JobError: the base does not fit.
    """
    body = {"model": model, "base": base}
    answer = backend.call("POST", "models", "base", body=body, seconds=WORK_SECONDS)
    check("model", answer)
    if answer.get("error"):
        raise JobError(from_backend(answer["error"]), answer.get("error_code") or "model")


class ListSession(Session):
    """Asks for `listing`, after a ``change`` of the models: one is removed, or gets a base."""

    done_text = ""

    def __init__(
        self, pool: BackendPool, choice: BackendChoice, change: Callable[[Backend], object] | None = None
    ) -> None:
        super().__init__(pool, choice)
        self._change = change

    def _work(self) -> None:
        self._reporter.update(stage="backend")
        self._backend = self._pool.acquire(self._choice, self._cancel.is_set)
        self._reporter.update(stage="listing")
        if self._change is not None:
            self._change(self._backend)
        self._list()

    def _list(self) -> None:
        answer = self._backend.call("GET", "models", seconds=WORK_SECONDS, cancelled=self._cancel.is_set)
        check("list of models", answer)
        model_facts.listing = answer


class OfferSession(ListSession):
    """Asks the hub for the facts about a download, for `offers`."""

    def __init__(self, pool: BackendPool, choice: BackendChoice, name: str) -> None:
        super().__init__(pool, choice)
        self._name = name

    def _list(self) -> None:
        self._reporter.update(stage="offering")
        path = ("models", "hub", *self._name.split("/", 1))
        answer = self._backend.call(
            "GET", *path, query="?online=true", seconds=WORK_SECONDS, cancelled=self._cancel.is_set
        )
        check("offer of a model", answer)
        model_facts.offers[self._name] = answer


class DownloadSession(ListSession):
    """Downloads a model from the hub. ``license``: the one that the user agreed to."""

    done_text = "The model is installed"

    def __init__(self, pool: BackendPool, choice: BackendChoice, name: str, license: str) -> None:  # noqa: A002
        super().__init__(pool, choice)
        self._name, self._license = name, license

    def _work(self) -> None:
        super()._work()
        self._reporter.update(stage="fetching")
        cancelled = self._cancel.is_set
        agreed = {"name": self._name, "license": self._license, "online": True}
        begun = self._backend.call("POST", "downloads", body=agreed, seconds=WORK_SECONDS, cancelled=cancelled)
        for answer in follow(self._backend, "download", begun, cancelled, math.inf):
            self._tell(answer)
        if answer["state"] == "cancelled":
            raise Cancelled("cancelled; what was downloaded stays, and the next download resumes it")
        if error := answer.get("error"):
            raise JobError(from_backend(error["message"]), error["code"])
        self._list()

    def _tell(self, answer: dict[str, Any]) -> None:
        done, total = answer["bytes_done"], answer["bytes_total"]
        self._reporter.update(
            share=done / total if total else 0.0,
            amount=f"{size_text(done)} / {size_text(total)}",
            seconds_left=answer.get("seconds_left"),
        )
