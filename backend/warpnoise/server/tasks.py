"""Tasks that clients start and ask about later, jobs and downloads. Each has a state; one lock guards all."""

from __future__ import annotations

import logging
import threading
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
    """``view``: what clients are told; it is replaced, never changed. ``stop``: somebody asked to cancel it."""

    view: V
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def over(self) -> bool:
        return self.view.state in ("done", "failed", "cancelled")

    def update(self, **changes: Any) -> None:
        self.view = self.view.model_copy(update=changes)


T = TypeVar("T", bound=Task[Any])


class Tasks(Generic[T]):
    """Tasks by their names, in the order in which they came. Calls come from any thread: every field of a task is read
    and written under ``changed``."""

    def __init__(self, what: str) -> None:
        """``what``: "job" or "download"."""
        self._what = what
        self._tasks: dict[str, T] = {}
        self._changed = threading.Condition()

    def find(self, name: str) -> T:
        """To be called under the lock. Raises UnknownTaskError."""
        if name not in self._tasks:
            raise UnknownTaskError(
                f"There is no {self._what} {name} here. The server was restarted, or the {self._what} ended long ago."
            )
        return self._tasks[name]

    def add(self, task: T, remembered: int) -> None:
        """To be called under the lock. Of the tasks that are over, so many are ``remembered``: the last ones."""
        self._tasks[task.view.id] = task
        over = [name for name, other in self._tasks.items() if other.over]
        for name in over[: max(len(over) - remembered, 0)]:
            del self._tasks[name]

    def run(self, task: T, what: str, act: Callable[[], None]) -> None:
        """Run a task to its end, in the thread of the caller. No error leaves it: the server and other tasks go on."""
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
            text = f"The server met an unexpected error; its log says more: {problem}"
            state, error = "failed", Problem(code="internal", message=text)
        with self._changed:
            self.finish(task, state, error)
        log.info("%s %s%s", name, state, f": {error.message}" if error else "")

    def finish(self, task: T, state: State, error: Problem | None = None) -> None:
        """To be called under the lock."""
        task.update(state=state, error=error, seconds_left=0.0 if state == "done" else None)
