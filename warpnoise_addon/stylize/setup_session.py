"""Set Up in a thread."""

from __future__ import annotations

from typing import Any

from ..setup.environments import Environments, remove
from ..setup.install import install
from ..setup.plan import Plan
from .backends import BackendPool
from .request import BackendChoice
from .session import CheckSession


class SetupSession(CheckSession):
    """Makes an environment and checks the backend in it. Only if that works does it take the old one's place."""

    def __init__(self, pool: BackendPool, environments: Environments, plan: Plan, **check: Any) -> None:
        """``check``: as CheckSession takes it."""
        super().__init__(pool, BackendChoice(python=str(plan.environment_python), exclusive=True), **check)
        self.plan = plan
        self._environments = environments

    def _work(self) -> None:
        install(self.plan, self._reporter.show_output, self._cancel.is_set)
        try:
            super()._work()
            self._environments.make_current(self.plan.folder, self.plan.build.name, self.plan.package.digest)
        except BaseException:
            self._pool.discard()
            remove(self.plan.folder)
            raise
