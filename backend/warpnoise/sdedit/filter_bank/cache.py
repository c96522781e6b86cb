"""Measured filter banks in the user's cache: one safetensors file for each VAE, cell and scale."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import platformdirs
import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from warpnoise.errors import MediaError
from warpnoise.hashing import digest_text
from warpnoise.media.atomic import write_bytes
from warpnoise.sdedit.filter_bank.patterns import CELLS
from warpnoise.sdedit.filter_bank.whitening import MAX_DEVIATION, correlations, deviation

_VERSION = 3
"""Bump when measuring or choosing changes: stored banks are then measured again."""

CACHE_VARIABLE = "WARPNOISE_CACHE"
_LOCK_SECONDS = 600
_HEADER_BYTES = 1 << 16


Stored = tuple[Tensor, float]
"""Patterns and their energy, of `FilterBank`."""


def load_or_make(
    made_of: Sequence[object], shape: tuple[int, ...], folder: Path | None, make: Callable[[], Stored]
) -> Stored:
    """The stored result for ``made_of``, or else the result of ``make``, which is stored if the folder can be written.

    If another process makes the same one, this call waits for it.

    Args:
        shape: of the patterns.
        folder: None: ``filter_banks`` in the folder that WARPNOISE_CACHE names, else in the user's cache folder.
    """
    if folder is None:
        chosen = os.environ.get(CACHE_VARIABLE)
        folder = Path(chosen) if chosen else platformdirs.user_cache_path("warpnoise", appauthor=False)
        folder /= "filter_banks"
    key = digest_text(str(_VERSION), *map(str, made_of))
    path = folder / f"{key}.safetensors"
    with contextlib.ExitStack() as stack:
        if (stored := _read(path, key, shape)) is not None:
            return stored
        with contextlib.suppress(OSError, Timeout, NotImplementedError):  # a folder that cannot hold a lock
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(FileLock(f"{path}.lock", timeout=_LOCK_SECONDS))
        if (stored := _read(path, key, shape)) is not None:
            return stored
        patterns, energy = make()
        metadata = {"energy": repr(energy), "key": key}
        with contextlib.suppress(MediaError):  # then the next run measures again
            write_bytes(path, save({"patterns": patterns.cpu().contiguous()}, metadata))
        return patterns, energy


def _read(path: Path, key: str, shape: tuple[int, ...]) -> Stored | None:
    """The content of a stored file; None: it is missing, damaged, or made of something else."""
    try:
        if path.stat().st_size > 4 * math.prod(shape) + _HEADER_BYTES:
            return None
        with safe_open(path, framework="pt") as file:
            content = file.get_slice("patterns")
            if tuple(content.get_shape()) != shape or content.get_dtype() != "F32":
                return None
            # A copy: what safetensors returns is the mapped file, which another machine may change.
            patterns, metadata = file.get_tensor("patterns").clone(), file.metadata() or {}
            energy = float(metadata.get("energy", "nan"))
    except (OSError, SafetensorError, ValueError):
        return None
    good = metadata.get("key") == key and bool(torch.isfinite(patterns).all()) and 0 <= energy <= 1
    good = good and deviation(correlations(patterns, shape[-1] // CELLS)) < MAX_DEVIATION
    return (patterns, energy) if good else None
