"""What the server reports about this machine: its device, and the models that clients can name."""

from __future__ import annotations

import functools
import logging
import platform
from pathlib import Path

import torch

import warpnoise
from warpnoise.errors import ModelError, SettingsError
from warpnoise.hub.listing import installed
from warpnoise.job import SCHEMA_VERSION, Settings
from warpnoise.sdedit.device import memory, pick_device
from warpnoise.sdedit.memory import room_on
from warpnoise.sdedit.memory_plan import capacity
from warpnoise.sdedit.places import SUBFOLDERS, find_named, find_on_disk, is_hub_id, models_folder
from warpnoise.server import INTERFACE
from warpnoise.server.schema import ModelView, StatusView

log = logging.getLogger("warpnoise.server")


def named_models() -> tuple[ModelView, ...]:
    """All models that can be named and used. They are listed again on each call, so that users can add some."""
    folder, found = models_folder(), []
    try:
        next(folder.iterdir(), None)
    except FileNotFoundError:
        pass
    except OSError as refusal:
        _warn_once(f"the models in {folder} cannot be listed: {refusal.strerror}")
    for model in installed(cache=False):
        if model.error is None:
            prompt = "prompt" in model.takes
            found.append(ModelView(name=model.name, styles=model.styles, prompt=prompt, takes=model.takes))
        else:
            _warn_once(f"the model {model.name!r} cannot be used: {model.error}")
    return tuple(found)


@functools.lru_cache(maxsize=1000)
def _warn_once(text: str) -> None:
    """The models are looked through at every status call."""
    log.warning("%s", text)


def find_model(name: str, only_named: bool) -> str:
    """What `ModelFolder.open` takes for ``name``: that of a model in the models folder, ``default``, or a path.

    Raises:
        ModelError: ``only_named`` and there is no such name.
    """
    if name != "default" and (found := find_named(name, "model")) is not None:
        return str(found)
    if only_named and name != "default" and not _is_downloaded(name):
        names = ", ".join(view.name for view in named_models()) or "none"
        raise ModelError(f"This server has no model {name!r}. It has: {names}. `warpnoise serve --models` adds more.")
    return name


def check_names(settings: Settings) -> None:
    """Whether LoRAs, ControlNets and so on are names of what the models folder has.

    Raises:
        SettingsError: a path, a name that is not there, or a file of the client's machine.
    """
    for kind in SUBFOLDERS:
        what = kind.removesuffix("s")
        for item in getattr(settings, kind, ()):
            if not _is_downloaded(item.path) and find_named(item.path, what) is None:
                try:
                    names = ", ".join(sorted(path.name for path in (models_folder() / kind).iterdir())) or "none"
                except OSError:
                    names = "none"
                raise SettingsError(
                    f"{what} {item.path!r}: this server takes {kind} by their names, and has: {names}. Ask its "
                    f"administrator to put the file into the folder {kind} of its models folder."
                )
            if getattr(item, "image", "") or getattr(item, "encoder", ""):
                raise SettingsError(f"{what}: this server takes no pictures besides the frames: leave it out.")
    if settings.references:
        raise SettingsError("references: this server takes no pictures besides the frames: leave them out.")


def _is_downloaded(name: str) -> bool:
    return is_hub_id(name) and find_on_disk(name) is not None


def status() -> StatusView:
    """The state of this machine now. Memory is the device's, so the computer's own for the CPU."""
    device = pick_device()
    total, free = memory(device)
    return StatusView(
        version=warpnoise.__version__,
        interface=INTERFACE,
        job_schema=SCHEMA_VERSION,
        device=str(device),
        device_name=device_name(device),
        memory_total=total,
        memory_free=free,
        memory=capacity(room_on(device)),
        torch=torch.__version__,
        models=list(named_models()),
    )


@functools.cache
def device_name(device: torch.device) -> str:
    """The maker's name of the device, as far as the system knows it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name" and value.strip():
                return value.strip()
    return platform.processor() or platform.machine() or "CPU"
