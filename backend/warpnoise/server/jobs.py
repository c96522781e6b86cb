"""The queue: one worker thread runs jobs one at a time, in the order in which they arrive.

The memory of a device usually holds only one model, so a second job waits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from warpnoise.errors import JobLockedError, ServerError
from warpnoise.job import RESULTS, Result
from warpnoise.progress import Progress
from warpnoise.server.schema import JobView, NewJob, Problem, State
from warpnoise.server.tasks import Task, Tasks

REMEMBERED = 100
"""Finished jobs that can still be asked for; the oldest are forgotten."""


class Work(Protocol):
    """A job that was checked and can run."""

    @property
    def frames_total(self) -> int: ...
    @property
    def run(self) -> Callable[[Callable[[Progress], None], Callable[[], bool]], None]:
        """(report, cancelled): do it; raise Cancelled soon after ``cancelled()`` is true, and a WarpnoiseError for what
        went wrong."""


@dataclass
class _Job(Task[JobView]):
    work: Work | None = None
    progressed: float = field(default_factory=time.monotonic)

    @property
    def now(self) -> JobView:
        return self.view.model_copy(update={"seconds_since_progress": time.monotonic() - self.progressed})


class JobQueue(Tasks[_Job]):
    """Takes jobs, runs them, answers for them. ``prepare`` checks a request and makes work of it."""

    def __init__(self, prepare: Callable[[NewJob], Work]) -> None:
        super().__init__("job")
        self._prepare = prepare
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="warpnoise-jobs", daemon=True)
        self._thread.start()

    def submit(self, request: NewJob) -> JobView:
        """Check a job and put it at the end of the queue.

        Raises:
            JobError, SettingsError, ...: what ``prepare`` finds wrong.
            JobLockedError: the folder is worked on, here or by another process.
            ServerError: the server is shutting down.
        """
        if request.path is None:
            raise ServerError("This server takes no uploads: it was started without --uploads.")
        folder = Path(request.path).expanduser().resolve()
        with self._changed:
            self._check_free(folder)
        work = self._prepare(request.model_copy(update={"path": str(folder)}))  # reads files: not under the lock
        with self._changed:
            self._check_free(folder)
            view = JobView(path=str(folder), state="queued", frames_total=work.frames_total)
            job = _Job(view, work=work)
            self.add(job, REMEMBERED)
            self._changed.notify_all()
            return job.now

    def get(self, name: str) -> JobView:
        """A job as it is now. Raises UnknownTaskError."""
        with self._changed:
            return self.find(name).now

    def result(self, name: str) -> Result | None:
        """Where a job's frames go; None: it is not known yet. Raises UnknownTaskError."""
        view = self.get(name)
        return Result(Path(view.path) / RESULTS / view.result) if view.result else None

    def busy(self, folder: Path) -> str | None:
        """The job that is queued or running on a folder."""
        there = str(folder.resolve())
        with self._changed:
            return next((name for name, job in self._tasks.items() if not job.over and job.view.path == there), None)

    def cancel(self, name: str) -> JobView:
        """Ask a job to stop. A queued one stops at once, a running one within a step, a finished one stays as it is.
        Raises UnknownTaskError."""
        with self._changed:
            self._cancel(self.find(name))
            return self.find(name).now

    def close(self, seconds: float) -> bool:
        """Cancel everything and wait for the worker; whether it ended in that time. No job is taken any more."""
        with self._changed:
            self._closed = True
            for job in self._tasks.values():
                self._cancel(job)
            self._changed.notify_all()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def finish(self, task: _Job, state: State, error: Problem | None = None) -> None:
        super().finish(task, state, error)
        task.progressed = time.monotonic()
        task.work = None  # with all that it holds of the job: a finished one is small

    def _check_free(self, folder: Path) -> None:
        if self._closed:
            raise ServerError("The server is shutting down. Start it again for another job.")
        if other := self.busy(folder):
            raise JobLockedError(f"{folder} is already in use by job {other}. Wait for it, or cancel it.")

    def _cancel(self, job: _Job) -> None:
        job.stop.set()
        if job.view.state == "queued":
            self.finish(job, "cancelled")

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._next() is not None)
                job = self._next()
                if job is None or self._closed:
                    return
                job.update(state="running")
                job.progressed, work = time.monotonic(), job.work
            if work is not None:
                self._run(job, work)

    def _next(self) -> _Job | None:
        return next((job for job in self._tasks.values() if job.view.state == "queued"), None)

    def _run(self, job: _Job, work: Work) -> None:
        def report(now: Progress) -> None:
            with self._changed:
                job.update(**dict(now))
                job.progressed = time.monotonic()

        self.run(job, f"{job.view.id} on {job.view.path}", lambda: work.run(report, job.stop.is_set))
