"""How the compiled engine's functions are compiled: kept on disk where that is possible, IEEE arithmetic as written.

No fast-math and no contraction: decisions must fall as they do in the reference engine.

Numba finds a kernel stale when its own file changes, not when a function of another file that it pastes in does: after
changing an `inner` or `pasted` one, delete the *.nbi of `kernels/__pycache__`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compiles a function whose ``prange`` loops run on all threads."""
    return _compile(function, parallel=True, nogil=True)


def inner(function: F) -> F:
    """Compiles a function whose code is put where kernels call it: with arrays as arguments a call would be dear."""
    return _compile(function, parallel=False, nogil=True, forceinline=True)


def pasted(function: F) -> F:
    """The same before types are inferred, which also spares counting references to arrays."""
    return _compile(function, parallel=False, nogil=True, inline="always")


def _compile(function: F, **options: Any) -> F:
    try:
        compiled: F = numba.njit(cache=True, error_model="numpy", **options)(function)
    except RuntimeError:  # no folder that the cache could be written to
        compiled = numba.njit(error_model="numpy", **options)(function)
    return compiled
