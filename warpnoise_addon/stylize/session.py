"""A run in a thread, for a Blender with a window. The window reads ``status`` and may call ``cancel``.

The thread never uses bpy. The operator does what needs Blender's data: it copies the file before the run, and updates
the compositor after it.
"""

from __future__ import annotations

import abc
import contextlib
import threading
import time
from collections.abc import Callable

from .backends import BackendPool
from .export_process import run_export
from .request import BackendChoice, StylizeRequest
from .status import Reporter, Status
from .steps import run, stylize

JOIN_SECONDS = 5.0


class Session(abc.ABC):
    """A thread with a status. Subclasses do their work in ``_work``.

    ``done_text``: the text that the panel shows after a success. None: the number of frames. Empty: nothing.
    """

    done_text: str | None = None

    def __init__(self, pool: BackendPool, choice: BackendChoice) -> None:
        self._pool, self._choice = pool, choice
        self._cancel = threading.Event()
        self._reporter = Reporter()
        self._begun = time.monotonic()
        self._ended: float | None = None
        self._thread = threading.Thread(target=self._run, name="warpnoise-session", daemon=True)

    @property
    def status(self) -> Status:
        return self._reporter.status

    @property
    def seconds(self) -> float:
        """The elapsed time."""
        return (self._ended or time.monotonic()) - self._begun

    @property
    def over(self) -> bool:
        return not self._thread.is_alive() and self.status.over and self.status.stage != "idle"

    @property
    def cancelling(self) -> bool:
        """It was asked to stop, and has not stopped yet."""
        return self._cancel.is_set() and not self.over

    def start(self) -> None:
        self._thread.start()

    def cancel(self) -> None:
        """Ask it to stop; returns at once."""
        self._cancel.set()

    def wait(self) -> None:
        """Wait for its end; its parts have time limits."""
        self._thread.join()

    def stop(self, seconds: float = JOIN_SECONDS) -> None:
        """Ask it to stop and wait for that; for a Blender that is being closed."""
        self.cancel()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def _run(self) -> None:
        run(self._reporter, self._work)
        self._ended = time.monotonic()

    @abc.abstractmethod
    def _work(self) -> None:
        """What the thread does; errors that it raises are the run's end."""


class StylizeSession(Session):
    """Backend, export, stylizing. ``export``: the background Blender's command line; ``clean_up`` is always called."""

    def __init__(
        self,
        pool: BackendPool,
        request: StylizeRequest,
        export: list[str],
        clean_up: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(pool, request.backend)
        self.request = request
        self._export, self._clean_up = export, clean_up

    def _work(self) -> None:
        cancelled = self._cancel.is_set
        with contextlib.ExitStack() as rest:
            rest.callback(self._clean_up)

            def export() -> None:
                with rest:  # the copy of the file is not needed for longer
                    total = len(self.request.rendered_frames)
                    self._reporter.update(stage="exporting", frames_total=total)
                    run_export(self._export, self._reporter, cancelled)

            stylize(self._pool, self.request, self._reporter, export, cancelled)
