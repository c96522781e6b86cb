"""A run in a thread, for a Blender with a window. The window reads ``status`` and may call ``cancel``.

The thread never uses bpy. The operator does what needs Blender's data: it copies the file before the run, and updates
the compositor after it.
"""

from __future__ import annotations

import abc
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..bounded_json import parse_json
from ..child import Child, TimedOut
from ..errors import ExportError, unpack
from .backends import BackendPool
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


SILENCE_SECONDS = 3600.0
"""A Blender that prints nothing for this long is given up; one that renders a heavy frame reports its samples."""


def run_export(argv: list[str], reporter: Reporter, cancelled: Callable[[], bool]) -> None:
    """Run the export's command line to its end, or end it. Lines of JSON (`Status.as_json`) are among Blender's own.

    Raises:
        ExportError: it could not be started, failed, or said nothing for SILENCE_SECONDS.
        Cancelled: ``cancelled()`` was true. The process has ended.
    """
    try:
        child = Child(argv, merge=True)
    except OSError as refusal:
        raise ExportError(
            "a second Blender for the render cannot be started: {argv}: {reason}", argv=argv[0], reason=refusal.strerror
        ) from None
    failure: dict[str, Any] | None = None
    tail: deque[str] = deque(maxlen=12)
    try:
        for line in child.lines(
            SILENCE_SECONDS, cancelled, each=True, cancel_text="cancelled while rendering; finished frames stay"
        ):
            if (message := _parse(line)) is None:
                tail.append(line)
                continue
            if message.get("stage") == "exporting":
                done, total = int(message["frames_done"]), int(message["frames_total"])
                left, newest = reporter.seconds_left(done, total), message.get("newest")
                newest = Path(newest) if newest else reporter.status.newest
                reporter.update(frames_done=done, frames_total=total, seconds_left=left, newest=newest)
            reporter.warn(*(unpack(text, message.get("messages", {})) for text in message.get("warnings", ())))
            failure = message if message.get("error") else failure
        status = child.wait()
    except TimedOut:
        raise ExportError(
            "the render printed nothing for {silence_seconds:.0f} s and was stopped", silence_seconds=SILENCE_SECONDS
        ) from None
    finally:
        # Every file appears whole or not at all: there is nothing to wait for.
        child.stop()
    if failure is not None:
        error = failure["error"]
        text = str(error.get("message", "the render failed"))
        failed = ExportError(unpack(text, failure.get("messages", {})))
        failed.exit_status = int(error.get("exit_status", failed.exit_status))
        raise failed
    if status != 0:
        said = "\n".join(text for text in tail if text.strip())
        raise ExportError(
            "the render in a second Blender failed ({ending}). Its last output:\n{said}", ending=child.ending, said=said
        )


def _parse(line: str) -> dict[str, Any] | None:
    if not line.startswith('{"warpnoise"'):
        return None
    try:
        message = parse_json(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None
