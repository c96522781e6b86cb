"""The check-up: what a run needs, looked at one by one, each finding with what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..backend import Backend
from ..backend.address import Address
from ..backend.probe import OLDEST_PYTHON, Probe, probe
from ..messages import Message
from ..setup.hardware import Hardware
from .backends import BackendPool, chosen_command, chosen_url
from .request import BackendChoice
from .steps import device_text

LITTLE_MEMORY = 2 * 2**30
"""Bytes; the default model at 1024 x 1024 needs about as much."""


class Finding:
    """``level``: OK, WARNING (it works, but), or ERROR. ``text``: a `Message` of the template and its values."""

    def __init__(self, level: str, template: str, **values: object) -> None:
        self.level, self.text = level, Message(template, **values)


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
            yield Finding("OK", "It takes uploads, and keeps them for {number:g} days", number=_number(uploads, "days"))
    else:
        command = chosen_command(choice)
        found = probe(command, cancelled)
        if found is not None:
            yield from _python(found, command.argv[0])
            yield from _graphics(found, hardware())
        backend = pool.acquire(choice, cancelled)
    yield Finding("OK", "The backend {name} works", name=backend.name)
    yield from _machine(backend.refresh_status(), choice)
    yield from _model(backend, model)


def _python(found: Probe, path: str) -> Iterator[Finding]:
    if found.trouble:
        yield Finding(
            "ERROR", "{path}: {trouble}. Choose another Python, or press Set Up", path=path, trouble=found.trouble
        )
        return
    version = ".".join(map(str, found.python))
    if found.python[:2] < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        yield Finding(
            "ERROR",
            "{path} is Python {version}: {oldest} or newer is needed. Press Set Up for a new one",
            path=path,
            version=version,
            oldest=oldest,
        )
    else:
        yield Finding("OK", "Python {version}: {path}", version=version, path=path)
    if found.warpnoise_error:
        yield Finding(
            "ERROR",
            "It has no backend that can be imported ({warpnoise_error}). Press Set Up, or install it "
            "there with `{path} -m pip install 'warpnoise[serve]'`",
            warpnoise_error=found.warpnoise_error,
            path=path,
        )
    else:
        yield Finding("OK", "The package warpnoise {warpnoise}", warpnoise=found.warpnoise)
    if found.torch_error:
        yield Finding(
            "ERROR",
            "PyTorch cannot be imported ({torch_error}). Press Set Up to install it again",
            torch_error=found.torch_error,
        )


def _graphics(found: Probe, hardware: Hardware) -> Iterator[Finding]:
    if not found.torch:
        return
    if hardware.gpu and not found.gpu:
        why = (
            Message("cannot use it (built for {cuda}): its driver may be too old", cuda=found.cuda)
            if found.cuda
            else Message("is a build for the CPU: press Set Up to install the other")
        )
        yield Finding(
            "WARNING",
            "There is a graphics card ({gpu}), but PyTorch {torch} {why}",
            gpu=hardware.gpu,
            torch=found.torch,
            why=why,
        )
    else:
        text = "PyTorch {version}, with a graphics card" if found.gpu else "PyTorch {version}, on the CPU"
        yield Finding("OK", text, version=found.torch)


def _machine(status: dict[str, Any], choice: BackendChoice) -> Iterator[Finding]:
    yield Finding("OK", "Device: {device}", device=device_text(status))
    if status.get("memory"):
        yield Finding("OK", "Memory: {memory}", memory=str(status["memory"]))
    device = str(status.get("device", ""))
    if choice.device and not device.startswith(choice.device):
        yield Finding(
            "WARNING",
            "The device {device} is chosen, but the backend's best is {best}",
            device=choice.device,
            best=device,
        )
    free = _number(status, "memory_free")
    if 0 < free < LITTLE_MEMORY:
        yield Finding(
            "WARNING",
            "Only {gigabytes:.1f} GB of memory are free: close other programs, or render smaller frames",
            gigabytes=free / 2**30,
        )


def _model(backend: Backend, model: str) -> Iterator[Finding]:
    names = [str(known.get("name")) for known in backend.status.get("models", ())]
    if model in names or (not backend.takes_uploads and model != "default" and Path(model).is_dir()):
        yield Finding("OK", "The scene's model: {model}", model=model)
    elif backend.takes_uploads:
        has = ", ".join(names) or "none"
        yield Finding(
            "ERROR",
            "The server has no model {model}: it has {has}. `warpnoise serve --models` adds more",
            model=model,
            has=has,
        )
    elif model == "default":
        yield Finding("ERROR", "The backend has no default model: install a release, or choose another model")
    else:
        yield Finding(
            "ERROR", "The scene's model {model} does not exist: choose another model in the panel", model=model
        )


def _number(content: Any, key: str) -> float:
    value = content.get(key) if isinstance(content, dict) else None
    return float(value) if isinstance(value, int | float) else 0.0
