"""Compiles all kernels of warped noise in advance, once for a version of Numba and a processor."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numba
import numpy as np
import torch
from llvmlite.binding import get_host_cpu_name

from .engine import CpuEngine, engine_for
from .kernels.compile import cache_file
from .motion import Motion
from .warped import WarpedNoise

log = logging.getLogger(__name__)

SIZE = 16


def compile_kernels(say: Callable[[str], None] = log.info, device: str | torch.device = "cpu") -> bool:
    """Compiles the CPU's kernels into the cache on disk, unless they are there or CUDA makes the noise of ``device``.

    Args:
        say: is called with a message before the compilation, which takes up to a minute.
        device: the device of the noise.

    Returns:
        Whether anything was compiled.
    """
    file = cache_file()
    # Machine code that another Numba or another processor has compiled is not used.
    mark = Path(file).with_name(f"compiled-{numba.__version__}-{get_host_cpu_name()}") if file else None
    if (mark is not None and mark.exists()) or not isinstance(engine_for(torch.device(device), None), CpuEngine):
        return False
    say("Compiling the noise kernels, once")
    _run_all()
    if mark is not None:
        mark.touch()
    return True


def _run_all() -> None:
    """Runs all kernels on a wall that comes near and goes away: particles split, leave, return, merge and spawn."""
    noise, center = WarpedNoise((4, SIZE, SIZE), engine="cpu"), (SIZE - 1) / 2
    along = torch.arange(SIZE) - center
    offset = torch.stack(torch.meshgrid(along, along, indexing="xy"), dim=-1)
    surface, depth = torch.ones((SIZE, SIZE), dtype=torch.int32), torch.full((SIZE, SIZE), 0.5)
    planes = {"surface_old": surface, "surface_new": surface, "depth_old": depth, "depth_new": depth}
    for factor in (1.5, 0.4, 0.4, 0.4, 1.5):
        transform = np.diag([factor, factor, 1.0, 1.0])
        transform[:2, 3] = center * (1 - factor)
        flows = offset * (factor - 1), offset * (1 / factor - 1)
        noise.advance(Motion(*flows, **planes, transforms={1: transform}))
