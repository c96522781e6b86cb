"""The check of the backend: tests everything that a run needs, and says how to solve each problem."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..backend.address import Address
from ..backend.client import WORK_SECONDS
from ..errors import JobError
from ..messages import Message
from ..setup.hardware import Hardware
from .backends import BackendPool, chosen_command, chosen_url
from .request import BackendChoice
from .steps import device_text

LITTLE_MEMORY = 2 * 2**30
"""Bytes; the default model at 1024 x 1024 needs about as much."""


class Finding:
    """``level``: OK, WARNING (it works, but), or ERROR. ``text``: a `Message`, of a template and its values."""

    def __init__(self, level: str, template: str, **values: object) -> None:
        self.level = level
        self.text = template if isinstance(template, Message) else Message(template, **values)


def check_up(
    pool: BackendPool,
    choice: BackendChoice,
    model: str,
    hardware: Callable[[], Hardware],
    cancelled: Callable[[], bool],
) -> Iterator[Finding]:
    """Look at everything, in the order in which it is needed. The last step starts or reaches the backend.

    Raises:
        BackendError, SettingsError, Cancelled: what ends the check, as `BackendPool.acquire`.
    """
    if url := chosen_url(choice):
        address = Address.parse(url)
        if address.readable_by_others:
            yield Finding(
                "WARNING",
                "The token and the frames travel unencrypted to {address}. Use https, or an SSH tunnel",
                address=address,
            )
        backend = pool.acquire(choice, cancelled)
        yield Finding("OK", "{address} answers and accepts the token", address=address)
        if uploads := backend.status.get("uploads"):
            yield Finding("OK", "It takes uploads, and keeps them for {number:g} days", number=uploads.get("days", 0))
    else:
        yield Finding("OK", "Python: {path}", path=chosen_command(choice).argv[0])
        backend = pool.acquire(choice, cancelled)
    yield Finding("OK", "The backend {name} works", name=backend.name)
    yield from _machine(backend.refresh_status(), choice, "" if url else hardware().gpu)
    try:
        backend.call("POST", "check", body={"settings": {"model": model}}, seconds=WORK_SECONDS, cancelled=cancelled)
        yield Finding("OK", "The scene's model: {model}", model=model)
    except JobError as error:
        yield Finding("ERROR", str(error))


def _machine(status: dict[str, Any], choice: BackendChoice, card: str) -> Iterator[Finding]:
    """``card``: the graphics card of this computer, if PyTorch could use it."""
    yield Finding("OK", "Device: {device}", device=device_text(status))
    device, pytorch = str(status.get("device", "")), str(status.get("torch", ""))
    if pytorch:
        yield Finding("OK", "PyTorch {version}", version=pytorch)
    if card and device == "cpu":
        yield Finding(
            "WARNING",
            "There is a graphics card ({gpu}), but PyTorch {torch} cannot use it. Update its driver, or press Set Up "
            "to install the build for it",
            gpu=card,
            torch=pytorch,
        )
    if status.get("memory"):
        yield Finding("OK", "Memory: {memory}", memory=status["memory"])
    if choice.device and not device.startswith(choice.device):
        yield Finding(
            "WARNING",
            "The device {device} is chosen, but the backend's best is {best}",
            device=choice.device,
            best=device,
        )
    if 0 < status.get("memory_free", 0) < LITTLE_MEMORY:
        yield Finding(
            "WARNING",
            "Only {gigabytes:.1f} GB of memory are free: close other programs, or render smaller frames",
            gigabytes=status["memory_free"] / 2**30,
        )
