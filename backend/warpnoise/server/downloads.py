"""Downloads that clients have requested, each in a thread, beside the jobs."""

from __future__ import annotations

import threading

from warpnoise.errors import HubError
from warpnoise.hub.download import download
from warpnoise.hub.fetch import DownloadProgress
from warpnoise.hub.remote import Offer
from warpnoise.hub.store import left_to_download
from warpnoise.server.schema import DownloadView
from warpnoise.server.tasks import Tasks

MOST_RUNNING = 2
"""At once: more share one connection and one disk, and gain nothing."""


class Downloads(Tasks[DownloadView]):
    """Starts, watches and cancels downloads. Their threads end with the process; downloaded parts are kept."""

    remembered = 20

    def __init__(self) -> None:
        super().__init__("download")

    def start(self, offer: Offer, agreed: str | None) -> DownloadView:
        """Begin a download, or return the one of this model that runs already.

        Raises:
            HubError: ``MOST_RUNNING`` others run.
        """
        done = offer.size - left_to_download(offer)
        with self._lock:
            running = {task.view.name: task.view for task in self._tasks.values() if not task.over}
            if offer.id in running:
                return running[offer.id]
            if len(running) >= MOST_RUNNING:
                raise HubError(
                    f"{' and '.join(running)} are being downloaded. Wait for one of them, or cancel it.", "busy"
                )
            task = self._add(DownloadView(state="running", name=offer.id, bytes_done=done, bytes_total=offer.size))
            view = task.view

        def report(now: DownloadProgress) -> None:
            self._update(task, **vars(now))

        def act() -> None:
            download(offer, agreed, report, task.stop.is_set)
            report(DownloadProgress(offer.size, offer.size))

        arguments = (task, f"of {offer.id}", act)
        threading.Thread(target=self._run, args=arguments, name="warpnoise-download", daemon=True).start()
        return view

    def all(self) -> list[DownloadView]:
        with self._lock:
            return [task.view for task in self._tasks.values()]
