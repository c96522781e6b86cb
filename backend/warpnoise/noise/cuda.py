"""The CUDA engine, which uses numba-cuda, or its simulator on the CPU if NUMBA_ENABLE_CUDASIM=1."""

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
from .kernels.compile import Kernel, scalar
from .kernels.types import Particles, Scratch, Tree, i64
from .transport import splat

cuda: Any = numba.cuda  # without types
THREADS = 128
SIMULATED = bool(vars(numba.config)["ENABLE_CUDASIM"])


def missing(device: torch.device) -> str:
    """The reason why CUDA kernels cannot run on a device; empty if they can."""
    if SIMULATED:
        return "" if device.type == "cpu" else "the simulator runs on the CPU"
    if device.type != "cuda" or torch.version.cuda is None:
        return "it is not a CUDA device"
    return "" if cuda.is_available() else "numba-cuda finds no CUDA driver"


class CudaEngine(Engine):
    """Runs numba-cuda's machine code on torch's current stream."""

    block = 1
    batch = 4

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def run(self, kernel: Kernel, count: int, *records: Any, cost: int = 1) -> None:
        if count < 1:
            return
        launched = grid_kernel(kernel)
        threads = min(count, THREADS)  # the simulator starts a Python thread for each
        blocks = (count + threads - 1) // threads
        if SIMULATED:
            launched[blocks, threads](count, views_of(records, Tensor.numpy))
            return
        with torch.cuda.device(self.device), exact_arithmetic():
            views = views_of(records, functools.partial(cuda.as_cuda_array, sync=False))
            stream = cuda.external_stream(torch.cuda.current_stream(self.device).cuda_stream)
            launched[blocks, threads, stream](count, views)

    def splat(self, first: int, particles: Particles, tree: Tree, values: Tensor, *sums: Tensor) -> None:
        self.run(splat, len(values), 0, tree.height, first, particles, tree, values, *sums)


@contextmanager
def exact_arithmetic() -> Iterator[None]:
    """Lets numba-cuda compile without contraction (fma), as the CPU's code does. It has no option for that."""
    from numba.cuda.cudadrv import nvvm

    original = nvvm.compile_ir
    nvvm.compile_ir = functools.partial(original, fma=False)
    try:
        yield
    finally:
        nvvm.compile_ir = original


@functools.cache
def grid_kernel(kernel: Kernel) -> Any:
    """The CUDA kernel, which takes a count and a tuple of records."""
    template = _grid_with_scratch if kernel.scratch else _grid
    code = template.__code__.replace(co_name=kernel.name)
    names = {"cuda": cuda, "numba": numba, "i64": i64, "Scratch": Scratch}
    names["body"] = _body(kernel, names)
    return cuda.jit(FunctionType(code, names, kernel.name))


def _body(kernel: Kernel, launched: dict[str, Any]) -> Any:
    """The function that a thread runs, with atomic sums. The simulator runs the CPU's machine code, or Python for sums.

    Args:
        launched: the globals of the launched function, in which the simulator replaces ``cuda``.
    """
    code, names = kernel.function.__code__, kernel.function.__globals__
    if "add" not in code.co_names:
        return (lambda n, *records: kernel.loop(int(n), int(n) + 1, *records)) if SIMULATED else scalar(kernel.function)
    if SIMULATED:
        names = {name: getattr(value, "py_func", value) for name, value in names.items()}
        return FunctionType(code, names | {"add": FunctionType(_atomic_add.__code__, launched)})
    return scalar(FunctionType(code, names | {"add": scalar(_atomic_add)}))


def _atomic_add(to: Any, index: Any, value: Any) -> None:
    cuda.atomic.add(to, index, value)


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
