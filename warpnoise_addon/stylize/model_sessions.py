"""Models, asked for in a thread: the list of those that are installed and suggested, and the download of one."""

from __future__ import annotations

import time
from typing import Any

from ..backend.answers import ENDS, check_download, check_models, check_offer
from ..backend.poll import POLL_SECONDS
from ..errors import Cancelled, JobError
from . import model_facts
from .backends import BackendPool
from .request import BackendChoice
from .session import Session


def size_text(size: int) -> str:
    """``6.9 GB`` or ``12.3 MB``, in powers of ten, as hubs count."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


class ListSession(Session):
    """Asks for `listing`."""

    done_text = ""

    def __init__(self, pool: BackendPool, choice: BackendChoice) -> None:
        super().__init__()
        self._pool, self._choice = pool, choice

    def _work(self) -> None:
        self._reporter.update(stage="backend")
        self._backend = self._pool.acquire(self._choice, self._cancel.is_set)
        self._reporter.update(stage="listing")
        self._list()

    def _list(self) -> None:
        answer = self._backend.ask(self._backend.client.models, cancelled=self._cancel.is_set)
        check_models(answer)
        model_facts.listing = answer


class OfferSession(ListSession):
    """Asks the hub what a download of a model would be, for `offers`."""

    def __init__(self, pool: BackendPool, choice: BackendChoice, name: str) -> None:
        super().__init__(pool, choice)
        self._name = name

    def _list(self) -> None:
        self._reporter.update(stage="offering")
        client, name = self._backend.client, self._name
        answer = self._backend.ask(lambda: client.offered_model(name), cancelled=self._cancel.is_set)
        check_offer(answer)
        model_facts.offers[name] = answer


class DownloadSession(ListSession):
    """Downloads a model from the hub. ``license``: the one that the user agreed to."""

    done_text = "The model is installed"

    def __init__(self, pool: BackendPool, choice: BackendChoice, name: str, license: str) -> None:  # noqa: A002
        super().__init__(pool, choice)
        self._name, self._license = name, license

    def _work(self) -> None:
        super()._work()
        client, ask, cancelled = self._backend.client, self._backend.ask, self._cancel.is_set
        self._reporter.update(stage="fetching")
        answer = ask(lambda: client.start_download(self._name, self._license), cancelled=cancelled)
        while True:
            check_download(answer)
            self._tell(answer)
            if answer["state"] in ENDS:
                break
            time.sleep(POLL_SECONDS)
            stop = cancelled()
            call = client.cancel_download if stop else client.download
            download_id = answer["id"]
            answer = ask(lambda call=call, download_id=download_id: call(download_id))  # type: ignore[misc]
        if answer["state"] == "cancelled":
            raise Cancelled("cancelled; what was downloaded stays, and the next download resumes it")
        if error := answer.get("error"):
            raise JobError(str(error.get("message")), str(error.get("code", "hub")))
        self._list()

    def _tell(self, answer: dict[str, Any]) -> None:
        done, total = answer["bytes_done"], answer["bytes_total"]
        self._reporter.update(
            share=done / total if total else 0.0,
            amount=f"{size_text(done)} / {size_text(total)}",
            seconds_left=answer.get("seconds_left"),
        )
