"""The set-up of an environment, in a thread: the window looks at ``status``, ``lines`` and ``fraction``."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from ..setup.environments import Environments, remove
from ..setup.install import install
from ..setup.plan import Plan
from .backends import BackendPool
from .request import BackendChoice
from .session import CheckSession

SHOWN_LINES = 6


class SetupSession(CheckSession):
    """Makes an environment and checks the backend in it. Only if that works does it take the old one's place."""

    def __init__(self, pool: BackendPool, environments: Environments, plan: Plan, **check: Any) -> None:
        """``check``: as CheckSession takes it."""
        super().__init__(pool, BackendChoice(python=str(plan.environment_python), exclusive=True), **check)
        self.plan = plan
        self.lines: deque[str] = deque(maxlen=SHOWN_LINES)
        self.fraction: float | None = None
        self._environments = environments
        self._begun = time.monotonic()
        self._ended: float | None = None

    @property
    def seconds(self) -> float:
        """How long it has taken, or took."""
        return (self._ended or time.monotonic()) - self._begun

    def _work(self) -> None:
        try:
            install(self.plan, self._tell, self._cancel.is_set)
            self._tell("backend", "Starting the backend in it", None)
            try:
                super()._work()
                self._environments.make_current(self.plan.folder, self.plan.build.name, self.plan.package.digest)
            except BaseException:
                self._pool.discard()
                remove(self.plan.folder)
                raise
        finally:
            self._ended = time.monotonic()

    def _tell(self, stage: str, line: str, fraction: float | None) -> None:
        if line.strip():
            self.lines.append(line.strip())
        self.fraction = fraction
        self._reporter.update(stage=stage)
