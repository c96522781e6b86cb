"""The engine that runs kernels by CUDA, with numba-cuda; also in its simulator (NUMBA_ENABLE_CUDASIM=1), on the CPU."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any

import numba
import numba.cuda
import torch
from torch import Tensor

from .engine import Engine, views_of
from .kernels.compile import Kernel
from .kernels.tree import measure_of, pixel_of
from .kernels.types import VISIBLE, Scratch, i64

cuda: Any = numba.cuda  # without types
THREADS = 128
SIMULATED = bool(vars(numba.config)["ENABLE_CUDASIM"])


def missing(device: torch.device) -> str:
    """Why kernels cannot run by CUDA on a device; empty if they can."""
    if SIMULATED:
        return "" if device.type == "cpu" else "the simulator runs on the CPU"
    if device.type != "cuda" or torch.version.cuda is None:
        return "it is no CUDA device"
    return "" if cuda.is_available() else "numba-cuda finds no CUDA driver"


class CudaEngine(Engine):
    """numba-cuda's code on torch's current stream."""

    block = 1
    batch = 4

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def run(self, kernel: Kernel, count: int, *records: Any, cost: int = 1) -> None:
        self._launch(grid_kernel(kernel), count, records)

    def splat(self, *records: Any) -> None:
        self._launch(_splat_kernel(), len(records[3]), records)

    def _launch(self, launched: Any, count: int, records: tuple[Any, ...]) -> None:
        if count < 1:
            return
        threads = min(count, THREADS)  # the simulator starts a Python thread for each
        blocks = (count + threads - 1) // threads
        if SIMULATED:
            launched[blocks, threads](count, views_of(records, Tensor.numpy))
            return
        with torch.cuda.device(self.device), exact_arithmetic():
            views = views_of(records, functools.partial(cuda.as_cuda_array, sync=False))
            stream = cuda.external_stream(torch.cuda.current_stream(self.device).cuda_stream)
            launched[blocks, threads, stream](count, views)


@contextmanager
def exact_arithmetic() -> Iterator[None]:
    """Compiles without contraction (fma), like the CPU's code; numba-cuda has no option for it."""
    from numba.cuda.cudadrv import nvvm

    original = nvvm.compile_ir
    nvvm.compile_ir = functools.partial(original, fma=False)
    try:
        yield
    finally:
        nvvm.compile_ir = original


@functools.cache
def grid_kernel(kernel: Kernel) -> Any:
    """A kernel for CUDA, of a count and a tuple of records."""
    template = _grid_with_scratch if kernel.scratch else _grid
    code = template.__code__.replace(co_name=kernel.name)
    names = {"cuda": cuda, "numba": numba, "i64": i64, "Scratch": Scratch, "body": _body(kernel)}
    return cuda.jit(FunctionType(code, names, kernel.name))


def _body(kernel: Kernel) -> Any:
    if SIMULATED:  # the CPU's compiled code, from its cache
        return lambda n, *records: kernel.loop(int(n), int(n) + 1, records)
    return kernel.body


def _grid(count: int, records: Any) -> None:
    n = i64(cuda.grid(1))
    if n < count:
        body(n, *records)  # type: ignore[name-defined]  # noqa: F821


def _grid_with_scratch(count: int, records: Any) -> None:
    n = i64(cuda.grid(1))
    values = cuda.local.array((64, 4), numba.float32)
    normals = cuda.local.array((64, 4), numba.float32)
    places = cuda.local.array((64, 2), numba.int64)
    if n < count:
        body(n, Scratch(values, normals, places), *records)  # type: ignore[name-defined]  # noqa: F821


@functools.cache
def _splat_kernel() -> Any:
    return cuda.jit(_splat)


def _splat(count: int, records: Any) -> None:
    """`transport.splat` with a thread for each particle; sums of float64 are exact in any order."""
    first, particles, tree, values, w, area = records
    n = i64(cuda.grid(1))
    if n < count and particles.state[first + n] == VISIBLE:
        pixel = pixel_of(tree, particles.x[first + n], particles.y[first + n])
        cuda.atomic.add(area, pixel, measure_of(tree, particles, first + n))
        for q in range(values.shape[1]):
            cuda.atomic.add(w, (pixel, q), values[n, q])
