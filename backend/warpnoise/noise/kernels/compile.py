"""Compiles scalar Python functions for CPU threads (Numba) and for CUDA (numba-cuda).

The arithmetic is IEEE 754 in the order of the source, without fast-math and contraction, so both targets make the same
decision for every particle. Numba's allocator, NRT, is off, so records of arrays have no reference counts.

A digest of all kernels' sources names the folder of the compile cache. Numba checks only the file of the compiled
function, but not those of the functions that it inlines. So every loop pretends to be in a file of that folder.
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
"""The age, in seconds, at which caches of other sources are removed."""
LOOP = """
def {name}(begin, stop, {records}):
    if begin >= 0:  # always; LLVM then knows that no index counts from the end
        for index in range(u64(stop - begin)):
            body(begin + i64(index), {records})
"""
FOLDER = Path(__file__).resolve().parent


def scalar(function: F) -> F:
    """Compiles a function that is inlined into kernels."""
    result: F = numba.njit(forceinline=True, **INNER)(function)
    return result


def separate(function: F) -> F:
    """Compiles a function that kernels seldom call. It is not inlined, so that their common path stays small."""
    result: F = numba.njit(**INNER)(function)
    return result


@scalar
def add(to: Any, index: Any, value: Any) -> None:
    """Adds to a sum that belongs to one CPU thread. The CUDA engine replaces it by an atomic addition."""
    to[index] += value


class NoAlias(CompilerBase):
    """Tells LLVM that the arrays that a kernel writes overlap no others, so that it can use vector registers."""

    def define_pipelines(self) -> list[Any]:
        self.state.flags.noalias = True
        return [DefaultPassBuilder.define_nopython_pipeline(self.state)]  # type: ignore[no-untyped-call]


class Kernel:
    """Decorates a function of an index and records, which is run for all indices on the CPU's threads or by CUDA.

    Args:
        function: ``function(n, *records)``, or ``function(n, scratch, *records)``, which gets a :class:`Scratch`.
    """

    def __init__(self, function: Callable[..., None]) -> None:
        self.function = function
        self.name = function.__name__
        self.scratch = "scratch" in inspect.signature(function).parameters
        KERNELS.append(self)

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


kernel = Kernel
KERNELS: list[Kernel] = []
"""All kernels of the modules that have been imported."""


@functools.cache
def digest() -> str:
    """The digest of the sources of all kernels."""
    found = hashlib.sha256()
    for path in sorted([*FOLDER.glob("*.py"), FOLDER.parent / "transport.py"]):
        found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()[:16]


@functools.cache
def cache_file() -> str | None:
    """The file in which cached loops pretend to be. None: no folder is writable, so nothing is cached."""
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
    """Removes old caches of other sources. Another process may use new ones."""
    for other in folder.parent.iterdir():
        if other != folder and time.time() - other.stat().st_mtime > CACHE_AGE:
            shutil.rmtree(other, ignore_errors=True)
