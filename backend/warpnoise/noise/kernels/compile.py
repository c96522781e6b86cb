"""Compiles scalar Python functions for CPU threads (Numba) and for CUDA (numba-cuda).

IEEE arithmetic as written, without fast-math and without contraction, so both targets decide alike on every particle.
Without NRT, Numba's allocator, a kernel counts no references: a record of arrays costs no more than its arrays.

The compile cache is keyed by a digest of all kernels' sources. Numba checks only the file of the compiled function, not
those of the functions that it inlines; so every loop claims to stand in a file of a folder that the digest names.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import inspect
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
import platformdirs
from numba.core.compiler import CompilerBase, DefaultPassBuilder

from .types import i64, u64

F = TypeVar("F", bound=Callable[..., Any])

OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True, "_nrt": False, "no_cfunc_wrapper": True}
INNER: dict[str, Any] = OPTIONS | {"no_cpython_wrapper": True}
CACHE_AGE = 7 * 24 * 3600.0
"""Seconds, after which the caches of other sources are removed."""
LOOP = """
def {name}(begin, stop, {records}):
    if begin >= 0:  # always; LLVM then knows that no index counts from the end
        for index in range(u64(stop - begin)):
            body(begin + i64(index), {records})
"""
FOLDER = Path(__file__).resolve().parent


def scalar(function: F) -> F:
    """Compiles a function that kernels call, inlined into them."""
    result: F = numba.njit(forceinline=True, **INNER)(function)
    return result


def separate(function: F) -> F:
    """Compiles a function that kernels call and seldom need, so that their common path stays small."""
    result: F = numba.njit(**INNER)(function)
    return result


@scalar
def add(to: Any, index: Any, value: Any) -> None:
    """The sum of one thread's band of pixels; CUDA's engine puts an atomic one in its place."""
    to[index] += value


class NoAlias(CompilerBase):
    """Tells LLVM that the arrays which a kernel writes do not overlap others, so that it can use vector registers."""

    def define_pipelines(self) -> list[Any]:
        self.state.flags.noalias = True
        return [DefaultPassBuilder.define_nopython_pipeline(self.state)]  # type: ignore[no-untyped-call]


class Kernel:
    """A function of an index and records, run for every index on the CPU's threads or by CUDA.

    Args:
        function: ``function(n, *records)``, or ``function(n, scratch, *records)``.
        scratch: whether it takes :class:`Scratch`.
    """

    def __init__(self, function: Callable[..., None], scratch: bool) -> None:
        self.function = function
        self.scratch = scratch
        self.name = function.__name__

    @functools.cached_property
    def body(self) -> Any:
        return scalar(self.function)

    @functools.cached_property
    def loop(self) -> Callable[..., None]:
        """``loop(begin, stop, *records)``, for one CPU thread."""
        file, records = cache_file(), ", ".join([*inspect.signature(self.function).parameters][1:])
        names: dict[str, Any] = {"__name__": __name__, "u64": u64, "i64": i64}
        names["body"] = numba.njit(inline="always", **INNER)(self.function)
        exec(compile(LOOP.format(name=self.name, records=records), file or __file__, "exec"), names)
        options = OPTIONS | {"cache": file is not None, "pipeline_class": NoAlias}
        result: Callable[..., None] = numba.njit(**options)(names[self.name])
        return result


KERNELS: list[Kernel] = []
"""All kernels of the modules that were imported."""


def kernel(function: Callable[..., None]) -> Kernel:
    KERNELS.append(Kernel(function, scratch=False))
    return KERNELS[-1]


def kernel_with_scratch(function: Callable[..., None]) -> Kernel:
    KERNELS.append(Kernel(function, scratch=True))
    return KERNELS[-1]


@functools.cache
def digest() -> str:
    """Of the sources of all kernels."""
    found = hashlib.sha256()
    for path in sorted([*FOLDER.glob("*.py"), FOLDER.parent / "transport.py"]):
        found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()[:16]


@functools.cache
def cache_file() -> str | None:
    """The file in which cached loops claim to stand; None: no folder can be written to, so nothing is cached."""
    for parent in (FOLDER / "__pycache__", platformdirs.user_cache_path("warpnoise")):
        folder = parent / "kernels" / digest()
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
            file = folder / "loops.py"
            if not file.exists():
                # Equal times and sizes on every machine: Numba compares them, and folders are copied.
                file.write_text(f"# Numba caches the loops of the noise kernels beside this file; digest {digest()}.\n")
                os.utime(file, (0, 0))
                _remove_others(folder)
            return str(file)
    return None


def _remove_others(folder: Path) -> None:
    """Removes the caches of other sources, unless they are so new that another process may use them."""
    for other in folder.parent.iterdir():
        if other != folder and time.time() - other.stat().st_mtime > CACHE_AGE:
            shutil.rmtree(other, ignore_errors=True)
