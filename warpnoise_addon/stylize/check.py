"""The check of the backend: tests everything that a run needs, and says how to solve each problem."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..backend.client import WORK_SECONDS
from ..backend.locate import Address
from ..errors import JobError, Message
from ..setup.environments import Environments, remove
from ..setup.hardware import Hardware, detect
from ..setup.install import install
from ..setup.plan import Plan
from .backends import BackendPool, chosen_command, chosen_url
from .request import BackendChoice
from .session import Session
from .steps import device_text

LITTLE_MEMORY = 2 * 2**30
"""Bytes; the default model at 1024 x 1024 needs about as much."""


class Finding:
    """``level``: OK, WARNING (it works, but), or ERROR. ``text``: a `Message`, of a template and its values."""

    def __init__(self, level: str, template: str, **values: object) -> None:
        self.level = level
        self.text = template if isinstance(template, Message) else Message(template, **values)


class CheckSession(Session):
    """The check of the backend, in a thread. ``findings`` grow meanwhile."""

    done_text = "The backend works"

    def __init__(
        self,
        pool: BackendPool,
        choice: BackendChoice,
        model: str = "default",
        hardware: Callable[[], Hardware] = detect,
    ) -> None:
        super().__init__(pool, choice)
        self.findings: tuple[Finding, ...] = ()
        self._model, self._hardware = model, hardware

    def _work(self) -> None:
        self._reporter.update(stage="backend")
        for finding in self.check():
            self.findings = (*self.findings, finding)
            self._reporter.update(stage="backend")

    def check(self) -> Iterator[Finding]:
        """Look at everything, in the order in which it is needed. The backend is started or reached on the way.

        Raises BackendError, SettingsError, Cancelled: what ends the check, as `BackendPool.acquire`.
        """
        if url := chosen_url(self._choice):
            address = Address.parse(url)
            if address.readable_by_others:
                yield Finding(
                    "WARNING",
                    "The token and the frames travel unencrypted to {address}. Use https, or an SSH tunnel",
                    address=address,
                )
        else:
            yield Finding("OK", "Python: {path}", path=chosen_command(self._choice).argv[0])
        cancelled = self._cancel.is_set
        backend = self._pool.acquire(self._choice, cancelled)
        if url:
            yield Finding("OK", "{address} answers and accepts the token", address=address)
            if uploads := backend.status.get("uploads"):
                days = uploads.get("days", 0)
                yield Finding("OK", "It takes uploads, and keeps them for {number:g} days", number=days)
        yield Finding("OK", "The backend {name} works", name=backend.name)
        yield from self._machine(backend.refresh_status(), "" if url else self._hardware().gpu)
        self._reporter.update(backend=backend.name, device=device_text(backend.status))
        settings = {"model": self._model}
        try:
            backend.call("POST", "check", body={"settings": settings}, seconds=WORK_SECONDS, cancelled=cancelled)
            yield Finding("OK", "The scene's model: {model}", model=self._model)
        except JobError as error:
            yield Finding("ERROR", str(error))

    def _machine(self, status: dict[str, Any], card: str) -> Iterator[Finding]:
        """``card``: the graphics card of this computer, if PyTorch could use it."""
        yield Finding("OK", "Device: {device}", device=device_text(status))
        device, pytorch = str(status.get("device", "")), str(status.get("torch", ""))
        if pytorch:
            yield Finding("OK", "PyTorch {version}", version=pytorch)
        if card and device == "cpu":
            yield Finding(
                "WARNING",
                "There is a graphics card ({gpu}), but PyTorch {torch} cannot use it. Update its driver, or press Set "
                "Up to install the build for it",
                gpu=card,
                torch=pytorch,
            )
        if status.get("memory"):
            yield Finding("OK", "Memory: {memory}", memory=status["memory"])
        if self._choice.device and not device.startswith(self._choice.device):
            yield Finding(
                "WARNING",
                "The device {device} is chosen, but the backend's best is {best}",
                device=self._choice.device,
                best=device,
            )
        if 0 < status.get("memory_free", 0) < LITTLE_MEMORY:
            yield Finding(
                "WARNING",
                "Only {gigabytes:.1f} GB of memory are free: close other programs, or render smaller frames",
                gigabytes=status["memory_free"] / 2**30,
            )


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
