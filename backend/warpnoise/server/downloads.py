"""Downloads that clients asked for: each in a thread, beside the jobs."""

from __future__ import annotations

import logging
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel

from warpnoise.errors import Cancelled, HubError, WarpnoiseError
from warpnoise.hub.download import download
from warpnoise.hub.fetch import DownloadProgress
from warpnoise.hub.remote import Offer
from warpnoise.hub.store import left_to_download
from warpnoise.server.schema import Problem

log = logging.getLogger("warpnoise.server")

MOST_RUNNING = 2
"""At once: more share one connection and one disk, and gain nothing."""
REMEMBERED = 20
"""Downloads that ended and can still be asked for."""


class DownloadView(BaseModel):
    """A download, as every call that answers with one shows it; ``bytes_done`` counts what earlier tries left."""

    id: str
    name: str
    state: Literal["running", "done", "failed", "cancelled"] = "running"
    bytes_done: int
    bytes_total: int
    file: str | None = None
    seconds_left: float | None = None
    error: Problem | None = None


@dataclass
class _Record:
    view: DownloadView
    stop: threading.Event = field(default_factory=threading.Event)


class Downloads:
    """Starts, watches and cancels downloads."""

    def __init__(self) -> None:
        self._records: OrderedDict[str, _Record] = OrderedDict()
        self._lock = threading.Lock()

    def start(self, offer: Offer, agreed: str | None) -> DownloadView:
        """Begin a download. One of this model that runs is answered with instead.

        Raises:
            HubError: ``MOST_RUNNING`` others run.
        """
        done = offer.size - left_to_download(offer)
        with self._lock:
            running = [record.view for record in self._records.values() if record.view.state == "running"]
            for view in running:
                if view.name == offer.id:
                    return view
            if len(running) >= MOST_RUNNING:
                names = " and ".join(view.name for view in running)
                raise HubError(f"{names} are being downloaded. Wait for one of them, or cancel it.", "busy")
            view = DownloadView(id=secrets.token_hex(8), name=offer.id, bytes_done=done, bytes_total=offer.size)
            record = self._records[view.id] = _Record(view)
            over = [name for name, other in self._records.items() if other.view.state != "running"]
            for name in over[: max(len(over) - REMEMBERED, 0)]:
                del self._records[name]
        threading.Thread(target=self._run, args=(record, offer, agreed), name="warpnoise-download", daemon=True).start()
        return view

    def all(self) -> list[DownloadView]:
        with self._lock:
            return [record.view for record in self._records.values()]

    def get(self, download_id: str) -> DownloadView | None:
        with self._lock:
            record = self._records.get(download_id)
            return record.view if record else None

    def cancel(self, download_id: str) -> DownloadView | None:
        """Ask a download to stop; it does within a block of data, or ten seconds where the connection stands still."""
        with self._lock:
            record = self._records.get(download_id)
            if record is None:
                return None
            record.stop.set()
            return record.view

    def close(self) -> None:
        """Cancel all. Their threads end with the process; what has arrived stays."""
        with self._lock:
            for record in self._records.values():
                record.stop.set()

    def _run(self, record: _Record, offer: Offer, agreed: str | None) -> None:
        def report(now: DownloadProgress) -> None:
            self._update(record, **vars(now))

        log.info("download of %s started", offer.id)
        try:
            download(offer, agreed, report, record.stop.is_set)
            self._update(record, state="done", bytes_done=offer.size, seconds_left=0.0, file=None)
        except Cancelled:
            self._update(record, state="cancelled", seconds_left=None)
        except WarpnoiseError as error:
            problem = Problem(code=error.code, message=str(error))
            self._update(record, state="failed", seconds_left=None, error=problem)
        except Exception as error:  # whatever it is, the server goes on
            log.exception("download of %s: an error that was not foreseen", offer.id)
            problem = Problem(code="internal", message=f"The server met an error that was not foreseen: {error}")
            self._update(record, state="failed", seconds_left=None, error=problem)
        log.info("download of %s %s", offer.id, record.view.state)

    def _update(self, record: _Record, **changes: object) -> None:
        with self._lock:
            record.view = record.view.model_copy(update=changes)
