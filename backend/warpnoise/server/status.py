"""What ``GET /v2/status`` answers: the versions, the device and the models."""

from __future__ import annotations

import functools
import platform
from pathlib import Path

import torch

import warpnoise
from warpnoise.job import SCHEMA_VERSION
from warpnoise.sdedit.device import memory, pick_device
from warpnoise.sdedit.memory import room_on
from warpnoise.sdedit.memory_plan import capacity
from warpnoise.server import INTERFACE
from warpnoise.server.named_models import named_models
from warpnoise.server.schema import StatusView


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
    """What the device is called by its maker, as far as the system knows."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name" and value.strip():
                return value.strip()
    return platform.processor() or platform.machine() or "CPU"
