"""The check-up: what a run needs, looked at one by one, each finding with what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..backend import Backend
from ..backend.address import Address
from ..backend.probe import OLDEST_PYTHON, Probe, probe
from ..setup.hardware import Hardware
from .backends import BackendPool, chosen_command, chosen_url
from .request import BackendChoice
from .steps import device_text

LITTLE_MEMORY = 2 * 2**30
"""Bytes; the default model at 1024 x 1024 needs about as much."""


@dataclass(frozen=True)
class Finding:
    """``level``: OK, WARNING (it works, but), or ERROR."""

    level: str
    text: str


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
                f"The token and the frames travel unencrypted to {address}. Use https, or an SSH tunnel",
            )
        backend = pool.acquire(choice, cancelled)
        yield Finding("OK", f"{address} answers, and takes the token")
        if uploads := backend.status.get("uploads"):
            yield Finding("OK", f"It takes uploads, and keeps them for {_number(uploads, 'days'):g} days")
    else:
        command = chosen_command(choice)
        found = probe(command, cancelled)
        if found is not None:
            yield from _python(found, command.argv[0])
            yield from _graphics(found, hardware())
        backend = pool.acquire(choice, cancelled)
    yield Finding("OK", f"The backend {backend.name} works")
    yield from _machine(backend.refresh_status(), choice)
    yield from _model(backend, model)


def _python(found: Probe, path: str) -> Iterator[Finding]:
    if found.trouble:
        yield Finding("ERROR", f"{path}: {found.trouble}. Name another Python, or press Set Up")
        return
    version = ".".join(map(str, found.python))
    if found.python[:2] < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        yield Finding("ERROR", f"{path} is Python {version}: {oldest} or newer is needed. Press Set Up for a new one")
    else:
        yield Finding("OK", f"Python {version}: {path}")
    if found.warpnoise_error:
        yield Finding(
            "ERROR",
            f"It has no backend that can be imported ({found.warpnoise_error}). Press Set Up, or install it there "
            f"with `{path} -m pip install 'warpnoise[serve]'`",
        )
    else:
        yield Finding("OK", f"The package warpnoise {found.warpnoise}")
    if found.torch_error:
        yield Finding("ERROR", f"PyTorch cannot be imported ({found.torch_error}). Press Set Up to make it anew")


def _graphics(found: Probe, hardware: Hardware) -> Iterator[Finding]:
    if not found.torch:
        return
    if hardware.gpu and not found.gpu:
        why = (
            f"cannot use it (built for {found.cuda}): its driver may be too old"
            if found.cuda
            else "is a build for the CPU: press Set Up to install the other"
        )
        yield Finding("WARNING", f"There is a graphics card ({hardware.gpu}), but PyTorch {found.torch} {why}")
    else:
        yield Finding("OK", f"PyTorch {found.torch}" + (", with a graphics card" if found.gpu else ", on the CPU"))


def _machine(status: dict[str, Any], choice: BackendChoice) -> Iterator[Finding]:
    yield Finding("OK", f"Device: {device_text(status)}")
    device = str(status.get("device", ""))
    if choice.device and not device.startswith(choice.device):
        yield Finding("WARNING", f"The device {choice.device} is chosen, but the backend's best is {device}")
    free = _number(status, "memory_free")
    if 0 < free < LITTLE_MEMORY:
        yield Finding(
            "WARNING",
            f"Only {free / 2**30:.1f} GB of memory are free: close other programs, or render smaller frames",
        )


def _model(backend: Backend, model: str) -> Iterator[Finding]:
    names = [str(known.get("name")) for known in backend.status.get("models", ())]
    if model in names or (not backend.takes_uploads and model != "default" and Path(model).is_dir()):
        yield Finding("OK", f"The scene's model: {model}")
    elif backend.takes_uploads:
        has = ", ".join(names) or "none"
        yield Finding("ERROR", f"The server has no model {model}: it has {has}. `warpnoise serve --models` adds more")
    elif model == "default":
        yield Finding("ERROR", "The backend has no default model: install a release, or name the folder of a model")
    else:
        yield Finding("ERROR", f"The scene's model {model} is not there: choose another folder in the panel")


def _number(content: Any, key: str) -> float:
    value = content.get(key) if isinstance(content, dict) else None
    return float(value) if isinstance(value, int | float) else 0.0
