"""The queue: one worker thread runs jobs one at a time, in the order in which they arrive.

The memory of a device usually holds only one model, so a second job waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from warpnoise.errors import JobLockedError, ServerError
from warpnoise.job import RESULTS, Result
from warpnoise.progress import Progress
from warpnoise.server.schema import JobView, NewJob
from warpnoise.server.tasks import Task, Tasks


@dataclass(frozen=True)
class Work:
    """A job that was checked. ``run(report, cancelled)`` makes its frames. It raises Cancelled soon after
    ``cancelled()`` is true, and another WarpnoiseError if something is wrong."""

    frames_total: int
    run: Callable[[Callable[[Progress], None], Callable[[], bool]], None]


class JobQueue(Tasks[JobView]):
    """Takes jobs, runs them, answers for them. ``prepare`` checks a request and makes work of it."""

    def __init__(self, prepare: Callable[[NewJob], Work]) -> None:
        super().__init__("job")
        self._prepare = prepare
        self._closed = False
        self._worker = ThreadPoolExecutor(1, "warpnoise-jobs")
        self._last: Future[None] | None = None

    def submit(self, request: NewJob) -> JobView:
        """Check a job in a folder, ``request.path``, and put it at the end of the queue.

        Raises:
            JobError, SettingsError, ...: what ``prepare`` finds wrong.
            JobLockedError: the folder is worked on, here or by another process.
            ServerError: the server is shutting down.
        """
        folder = Path(request.path or "").expanduser().resolve()
        with self._lock:
            self._check_free(folder)
        work = self._prepare(request.model_copy(update={"path": str(folder)}))  # reads files: not under the lock
        with self._lock:
            self._check_free(folder)
            job = self._add(JobView(path=str(folder), state="queued", frames_total=work.frames_total))

            def act() -> None:
                work.run(lambda now: self._update(job, **dict(now)), job.stop.is_set)

            self._last = self._worker.submit(self._run, job, f"{job.view.id} on {folder}", act)
            return self._now(job)

    def result(self, name: str) -> Result | None:
        """Where a job's frames go; None: it is not known yet. Raises UnknownTaskError."""
        view = self.get(name)
        return Result(Path(view.path) / RESULTS / view.result) if view.result else None

    def busy(self, folder: Path) -> str | None:
        """The job that is queued or running on a folder."""
        there = str(folder.resolve())
        with self._lock:
            return next((name for name, job in self._tasks.items() if not job.over and job.view.path == there), None)

    def close(self, seconds: float) -> bool:
        """Cancel everything and wait for the worker; whether it ended in that time. No job is taken any more."""
        with self._lock:
            self._closed = True
            self.cancel_all()
        self._worker.shutdown(wait=False)
        return self._last is None or self._last in wait([self._last], seconds).done

    def _now(self, task: Task[JobView]) -> JobView:
        return task.view.model_copy(update={"seconds_since_progress": time.monotonic() - task.changed})

    def _check_free(self, folder: Path) -> None:
        if self._closed:
            raise ServerError("The server is shutting down. Start it again for another job.")
        if other := self.busy(folder):
            raise JobLockedError(f"{folder} is already in use by job {other}. Wait for it, or cancel it.")
