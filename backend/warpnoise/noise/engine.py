"""Runs kernels: on the threads of a CPU, or by CUDA."""

from __future__ import annotations

import importlib.util
import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .kernels.compile import Kernel
from .kernels.types import Particles, Scratch, Tree
from .transport import splat

WORTH_A_THREAD = 1 << 14
"""The number of particles from which on a further thread pays. For fewer, waiting for it takes longer."""


class Engine(ABC):
    """Runs kernels. ``device`` holds the tensors that they take."""

    device: torch.device
    block: int
    """The number of pixels that a thread normalizes at a time."""
    batch: int
    """The number of channels whose values a thread draws at a time."""

    @abstractmethod
    def run(self, kernel: Kernel, count: int, *records: Any, cost: int = 1) -> None:
        """Runs a kernel for the indices 0 to ``count`` - 1.

        Args:
            records: tensors on the device, scalars, and records of both.
            cost: the cost of one index, in particles.
        """

    @abstractmethod
    def splat(self, first: int, particles: Particles, tree: Tree, values: Tensor, *sums: Tensor) -> None:
        """Runs `transport.splat` for all rows of ``values``."""


class CpuEngine(Engine):
    """Runs Numba's machine code on as many threads as torch uses."""

    device = torch.device("cpu")
    block = 64  # whose sums fit in the innermost cache
    batch = 32  # fills the vector registers

    def run(self, kernel: Kernel, count: int, *records: Any, cost: int = 1) -> None:
        if count < 1:
            return
        parts = min(count, torch.get_num_threads(), max(1, count * cost // WORTH_A_THREAD))
        views = views_of(records, Tensor.numpy)
        _in_threads([partial(kernel.loop, *part, *_scratch(kernel), *views) for part in _parts(count, parts)])

    def splat(self, first: int, particles: Particles, tree: Tree, values: Tensor, *sums: Tensor) -> None:
        bands = max(1, min(torch.get_num_threads(), values.numel() // 2 // WORTH_A_THREAD))
        views = views_of((first, particles, tree, values, *sums), Tensor.numpy)
        _in_threads([partial(splat.loop, 0, len(values), *band, *views) for band in _parts(tree.height, bands)])


def _parts(count: int, parts: int) -> list[tuple[int, int]]:
    """Divides ``count`` indices evenly: the first index of each part, and the one after its last."""
    return [(count * part // parts, count * (part + 1) // parts) for part in range(parts)]


def _in_threads(jobs: list[Callable[[], None]]) -> None:
    others = [_pool().submit(job) for job in jobs[1:]]
    jobs[0]()
    for other in others:
        other.result()


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, os.cpu_count() or 1), thread_name_prefix="warpnoise-noise")


def _scratch(kernel: Kernel) -> tuple[Scratch, ...]:
    """The scratch memory of a thread, if the kernel takes it."""
    values, normals = np.empty((2, 64, CpuEngine.batch), np.float32)
    return (Scratch(values, normals, np.empty((64, 2), np.int64)),) if kernel.scratch else ()


def views_of(record: Any, view: Any) -> Any:
    """A record in which every tensor is replaced by ``view(tensor)``."""
    if isinstance(record, Tensor):
        return view(record)
    if isinstance(record, tuple):
        return tuple.__new__(type(record), [views_of(field, view) for field in record])
    return record


def engine_for(device: torch.device, name: str | None) -> Engine:
    """The engine for noise on a device: "cpu", "cuda", or None for the fastest one that is available.

    Raises:
        ValueError: the name is not that of an engine.
        RuntimeError: the device or `numba-cuda` is missing.
    """
    if name not in (None, "cpu", "cuda"):
        raise ValueError(f"engine must be 'cpu', 'cuda' or None, got {name!r}")
    if name == "cuda" or (name is None and device.type == "cuda"):
        reason = "numba-cuda is not installed; pip install warpnoise[cuda]"
        if importlib.util.find_spec("numba_cuda") is not None:  # without it, Numba's own CUDA target is out of date
            from .cuda import CudaEngine, missing

            reason = missing(device)
            if not reason:
                return CudaEngine(device)
        if name == "cuda":
            raise RuntimeError(f"engine 'cuda' cannot run on device {str(device)!r}: {reason}")
    return CpuEngine()
