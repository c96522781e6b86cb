"""Every kernel compiles for CUDA, by NVVM and without a GPU; nothing is contracted, so its arithmetic is the CPU's."""

from __future__ import annotations

import importlib.util
import os
import re
from types import SimpleNamespace
from typing import Any

import numba
import pytest
from torch import Tensor
from warpnoise.noise import warmup, warped  # noqa: F401 - has all kernels
from warpnoise.noise.engine import CpuEngine, views_of
from warpnoise.noise.kernels.compile import KERNELS, Kernel
from warpnoise.noise.kernels.types import Particles, Tree
from warpnoise.noise.transport import splat

pytestmark = pytest.mark.slow
HOPPER = (9, 0)
BACKEND_KERNELS = [kernel for kernel in KERNELS if kernel.function.__module__.startswith("warpnoise.")]


def has_nvvm() -> bool:
    if importlib.util.find_spec("numba_cuda") is None or os.environ.get("NUMBA_ENABLE_CUDASIM") == "1":
        return False
    from numba.cuda.cudadrv import nvvm

    return bool(nvvm.is_available())


@pytest.fixture(scope="module")
def arguments() -> dict[Kernel, tuple[Any, ...]]:
    """The records with which every kernel was run last, on the CPU: their types are those on a GPU."""
    seen: dict[Kernel, tuple[Any, ...]] = {}
    original, original_splat = CpuEngine.run, CpuEngine.splat

    def run(engine: CpuEngine, kernel: Kernel, count: int, *records: Any, cost: int = 1) -> None:
        if count:
            seen[kernel] = views_of(records, Tensor.numpy)
        original(engine, kernel, count, *records, cost=cost)

    def run_splat(engine: CpuEngine, first: int, particles: Particles, tree: Tree, *arrays: Tensor) -> None:
        seen[splat] = views_of((0, tree.height, first, particles, tree, *arrays), Tensor.numpy)
        original_splat(engine, first, particles, tree, *arrays)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CpuEngine, "run", run)
        patch.setattr(CpuEngine, "splat", run_splat)
        warmup._run_all()
    return seen


@pytest.fixture
def hopper(monkeypatch: pytest.MonkeyPatch) -> None:
    """Device functions ask the current GPU what it is."""
    from numba.cuda import dispatcher

    device = SimpleNamespace(compute_capability=HOPPER)
    monkeypatch.setattr(dispatcher, "get_current_device", lambda: device)


@pytest.mark.skipif(not has_nvvm(), reason="needs numba-cuda with NVVM: pip install warpnoise[cuda]")
@pytest.mark.parametrize("kernel", BACKEND_KERNELS, ids=lambda kernel: kernel.name)
def test_kernels_compile_without_contraction(
    kernel: Kernel, arguments: dict[Kernel, tuple[Any, ...]], hopper: None
) -> None:
    from numba import cuda
    from warpnoise.noise.cuda import exact_arithmetic, grid_kernel

    function, records = grid_kernel(kernel).py_func, arguments[kernel]
    with exact_arithmetic():
        code, _ = cuda.compile_ptx(function, numba.void(numba.int64, numba.typeof(records)), cc=HOPPER)
    assert ".entry" in code
    assert not re.search(r"(?<![.\w])(mul|add|sub)\.f(32|64)", code), "an operation that the assembler may contract"
    assert not re.search(r"\bfma\.", code)
    if kernel.name == "splat":
        assert "atom.global.add.f64" in code
