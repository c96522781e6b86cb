"""Tasks that clients start and ask about later: jobs and downloads. Each has a state, and one lock guards all."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from warpnoise.errors import Cancelled, ServerError, WarpnoiseError
from warpnoise.server.schema import Problem, State, TaskView

log = logging.getLogger("warpnoise.server")

V = TypeVar("V", bound=TaskView)


class UnknownTaskError(ServerError):
    """There is no such task, or it ended long ago. HTTP's 404."""

    code = "not_found"


@dataclass
class Task(Generic[V]):
    """``view``: what clients see; it is replaced, never changed. ``stop``: somebody asked to cancel the task.
    ``changed``: when the view was last replaced, in seconds of ``time.monotonic``."""

    view: V
    stop: threading.Event = field(default_factory=threading.Event)
    changed: float = field(default_factory=time.monotonic)

    @property
    def over(self) -> bool:
        return self.view.state in ("done", "failed", "cancelled")

    def update(self, **changes: Any) -> None:
        self.view, self.changed = self.view.model_copy(update=changes), time.monotonic()


class Tasks(Generic[V]):
    """Tasks by their names, in the order in which they came. Calls may come from any thread."""

    remembered = 100
    """How many tasks that are over can still be asked for."""

    def __init__(self, what: str) -> None:
        """``what``: "job" or "download"."""
        self._what = what
        self._tasks: dict[str, Task[V]] = {}
        self._lock = threading.RLock()
        """Held while a field of a task is read or written."""

    def get(self, name: str) -> V:
        """A task as it is now. Raises UnknownTaskError."""
        with self._lock:
            return self._now(self._find(name))

    def cancel(self, name: str) -> V:
        """Ask a task to stop. If it waits, it stops at once; if it runs, within a denoising step, a block of data, or
        ten seconds in which a connection stands still. Raises UnknownTaskError."""
        with self._lock:
            self._cancel(self._find(name))
            return self.get(name)

    def cancel_all(self) -> None:
        """Ask all tasks to stop."""
        with self._lock:
            for task in self._tasks.values():
                self._cancel(task)

    def _now(self, task: Task[V]) -> V:
        return task.view

    def _find(self, name: str) -> Task[V]:
        if name not in self._tasks:
            raise UnknownTaskError(
                f"There is no {self._what} {name} here. The server was restarted, or the {self._what} ended long ago."
            )
        return self._tasks[name]

    def _add(self, view: V) -> Task[V]:
        """A new task. The oldest of those that are over are forgotten."""
        task = self._tasks[view.id] = Task(view)
        over = [name for name, other in self._tasks.items() if other.over]
        for name in over[: max(len(over) - self.remembered, 0)]:
            del self._tasks[name]
        return task

    def _update(self, task: Task[V], **changes: Any) -> None:
        with self._lock:
            task.update(**changes)

    def _cancel(self, task: Task[V]) -> None:
        task.stop.set()
        if task.view.state == "queued":
            task.update(state="cancelled")

    def _run(self, task: Task[V], what: str, act: Callable[[], None]) -> None:
        """Run a task to its end in this thread, unless it was cancelled before. No error leaves it: the server and the
        other tasks continue."""
        with self._lock:
            if task.over:
                return
            task.update(state="running")
        state: State
        error: Problem | None = None
        name = f"{self._what} {what}"
        log.info("%s started", name)
        try:
            act()
            state = "done"
        except Cancelled:
            state = "cancelled"
        except WarpnoiseError as problem:
            state, error = "failed", Problem(code=problem.code, message=str(problem))
        except Exception as problem:
            log.exception("%s: an unexpected error", name)
            text = f"The server had an unexpected error. Its log has the details: {problem}"
            state, error = "failed", Problem(code="internal", message=text)
        self._update(task, state=state, error=error, seconds_left=0.0 if state == "done" else None)
        log.info("%s %s%s", name, state, f": {error.message}" if error else "")
