"""Downloads that clients have requested, each in a thread, beside the jobs."""

from __future__ import annotations

import threading

from warpnoise.errors import HubError
from warpnoise.hub.download import download
from warpnoise.hub.fetch import DownloadProgress
from warpnoise.hub.remote import Offer
from warpnoise.hub.store import left_to_download
from warpnoise.server.schema import DownloadView
from warpnoise.server.tasks import Task, Tasks

MOST_RUNNING = 2
"""At once: more share one connection and one disk, and gain nothing."""
REMEMBERED = 20
"""Downloads that ended and can still be asked for."""


class Downloads(Tasks[Task[DownloadView]]):
    """Starts, watches and cancels downloads."""

    def __init__(self) -> None:
        super().__init__("download")

    def start(self, offer: Offer, agreed: str | None) -> DownloadView:
        """Begin a download. One of this model that runs is answered with instead.

        Raises:
            HubError: ``MOST_RUNNING`` others run.
        """
        done = offer.size - left_to_download(offer)
        with self._changed:
            running = [task.view for task in self._tasks.values() if not task.over]
            for view in running:
                if view.name == offer.id:
                    return view
            if len(running) >= MOST_RUNNING:
                names = " and ".join(view.name for view in running)
                raise HubError(f"{names} are being downloaded. Wait for one of them, or cancel it.", "busy")
            view = DownloadView(state="running", name=offer.id, bytes_done=done, bytes_total=offer.size)
            task = Task(view)
            self.add(task, REMEMBERED)

        def report(now: DownloadProgress) -> None:
            with self._changed:
                task.update(**vars(now))

        def act() -> None:
            download(offer, agreed, report, task.stop.is_set)
            report(DownloadProgress(offer.size, offer.size))

        arguments = (task, f"of {offer.id}", act)
        threading.Thread(target=self.run, args=arguments, name="warpnoise-download", daemon=True).start()
        return view

    def all(self) -> list[DownloadView]:
        with self._changed:
            return [task.view for task in self._tasks.values()]

    def get(self, name: str) -> DownloadView:
        """Raises UnknownTaskError."""
        with self._changed:
            return self.find(name).view

    def cancel(self, name: str) -> DownloadView:
        """Ask a download to stop; it does within a block of data, or ten seconds where the connection stands still.
        Raises UnknownTaskError."""
        with self._changed:
            self.find(name).stop.set()
            return self.find(name).view

    def close(self) -> None:
        """Cancels all downloads. Their threads end with the process; downloaded parts are kept."""
        with self._changed:
            for task in self._tasks.values():
                task.stop.set()
