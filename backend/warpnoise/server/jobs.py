"""The queue: jobs run one at a time, in the order in which they came, in one worker thread.

The memory of a device holds one model comfortably and two hardly ever, so a second job waits. The HTTP calls run in
other threads and only look: every field of a record is read and written under the queue's lock.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from warpnoise.errors import Cancelled, JobLockedError, ServerError, WarpnoiseError
from warpnoise.job import RESULTS, Result
from warpnoise.progress import Progress
from warpnoise.server.schema import JobView, NewJob, Problem, State

log = logging.getLogger("warpnoise.server")

_UNFORESEEN = "The server met an error that was not foreseen; its log says more"
REMEMBERED = 100
"""Finished jobs that can still be asked for; the oldest are forgotten."""


class Work(Protocol):
    """A job that was checked and can run."""

    @property
    def frames_total(self) -> int: ...

    def run(self, report: Callable[[Progress], None], cancelled: Callable[[], bool]) -> None:
        """Do it; raise Cancelled soon after ``cancelled()`` is true, and a WarpnoiseError for what went wrong."""


@dataclass
class _Record:
    id: str
    folder: Path
    work: Work | None
    progress: Progress
    state: State = "queued"
    error: Problem | None = None
    progressed: float = field(default_factory=time.monotonic)
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def over(self) -> bool:
        return self.state in ("done", "failed", "cancelled")

    def view(self) -> JobView:
        now = self.progress
        if self.over:
            now = now.model_copy(update={"seconds_left": 0.0 if self.state == "done" else None})
        return JobView(
            id=self.id,
            path=str(self.folder),
            state=self.state,
            seconds_since_progress=time.monotonic() - self.progressed,
            error=self.error,
            **now.model_dump(),
        )


class JobQueue:
    """Takes jobs, runs them, answers for them. ``prepare`` checks a request and makes work of it."""

    def __init__(self, prepare: Callable[[NewJob], Work]) -> None:
        self._prepare = prepare
        self._records: OrderedDict[str, _Record] = OrderedDict()
        self._changed = threading.Condition()
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
            record = _Record(secrets.token_hex(8), folder, work, Progress(frames_total=work.frames_total))
            self._records[record.id] = record
            self._forget()
            self._changed.notify_all()
            return record.view()

    def get(self, job_id: str) -> JobView | None:
        """A job as it is now; None: there is no such job, or it ended long ago."""
        with self._changed:
            record = self._records.get(job_id)
            return record.view() if record else None

    def result(self, job_id: str) -> Result | None:
        """Where a job's frames go; None: there is no such job, or its result is not known yet."""
        with self._changed:
            record = self._records.get(job_id)
            name = record.progress.result if record else None
            return Result(record.folder / RESULTS / name) if record and name else None

    def busy(self, folder: Path) -> str | None:
        """The job that is queued or running on a folder."""
        with self._changed:
            there = folder.resolve()
            return next((r.id for r in self._records.values() if not r.over and r.folder == there), None)

    def cancel(self, job_id: str) -> JobView | None:
        """Ask a job to stop. A queued one stops at once, a running one within a step, a finished one stays as it is."""
        with self._changed:
            record = self._records.get(job_id)
            if record is None:
                return None
            self._cancel(record)
            return record.view()

    def close(self, seconds: float) -> bool:
        """Cancel everything and wait for the worker; whether it ended in that time. No job is taken any more."""
        with self._changed:
            self._closed = True
            for record in self._records.values():
                self._cancel(record)
            self._changed.notify_all()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _check_free(self, folder: Path) -> None:
        if self._closed:
            raise ServerError("The server is shutting down. Start it again for another job.")
        if other := self.busy(folder):
            raise JobLockedError(f"{folder} is worked on already, as job {other}. Wait for it, or cancel it.")

    def _cancel(self, record: _Record) -> None:
        record.stop.set()
        if record.state == "queued":
            self._finish(record, "cancelled")

    def _finish(self, record: _Record, state: State, error: Problem | None = None) -> None:
        record.state, record.error = state, error
        record.progressed = time.monotonic()
        record.work = None  # with all that it holds of the job: a finished record is small

    def _forget(self) -> None:
        over = [record.id for record in self._records.values() if record.over]
        for job_id in over[: max(len(over) - REMEMBERED, 0)]:
            del self._records[job_id]

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._next() is not None)
                record = self._next()
                if record is None or self._closed:
                    return
                record.state, record.progressed = "running", time.monotonic()
                work = record.work
            if work is not None:
                self._run(record, work)

    def _next(self) -> _Record | None:
        return next((record for record in self._records.values() if record.state == "queued"), None)

    def _run(self, record: _Record, work: Work) -> None:
        def report(now: Progress) -> None:
            with self._changed:
                record.progress, record.progressed = now, time.monotonic()

        state: State
        error: Problem | None = None
        log.info("job %s started: %s", record.id, record.folder)
        try:
            work.run(report, record.stop.is_set)
            state = "done"
        except Cancelled:
            state = "cancelled"
        except WarpnoiseError as problem:
            state, error = "failed", Problem(code=problem.code, message=str(problem))
        except Exception as problem:  # whatever it is, the server and the other jobs go on
            log.exception("job %s: an error that was not foreseen", record.id)
            state, error = "failed", Problem(code="internal", message=f"{_UNFORESEEN}: {problem}")
        with self._changed:
            self._finish(record, state, error)
        log.info("job %s %s%s", record.id, state, f": {error.message}" if error else "")
