"""Measured filter banks in the user's cache: one safetensors file for each VAE, cell and scale."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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

_VERSION = 2
"""Bump when measuring or choosing changes: stored banks are then measured again."""

CACHE_VARIABLE = "WARPNOISE_CACHE"
_LOCK_SECONDS = 600
_HEADER_BYTES = 1 << 16


@dataclass(frozen=True)
class Key:
    """What decides a bank. ``digest``: of the VAE's weights and configuration."""

    digest: str
    channels: int
    cell: int
    scale: int

    @property
    def size(self) -> int:
        return self.cell // self.scale

    @property
    def file_name(self) -> str:
        fields = (str(_VERSION), self.digest, str(self.channels), str(self.cell), str(self.scale))
        return f"{digest_text(*fields)}.safetensors"


@dataclass(frozen=True)
class Stored:
    patterns: Tensor
    energy: float


def load_or_make(key: Key, folder: Path | None, make: Callable[[], Stored]) -> Stored:
    """The bank stored under ``key``, else the one that ``make`` returns, which is stored if the folder can be written.

    Another process that makes the same bank is waited for.

    Args:
        folder: None: ``filter_banks`` in the folder that WARPNOISE_CACHE names, else in the user's cache folder.
    """
    folder = _default_folder() if folder is None else folder
    path = folder / key.file_name
    if (stored := _read(path, key)) is not None:
        return stored
    with _only_one(path):
        if (stored := _read(path, key)) is not None:
            return stored
        stored = make()
        with contextlib.suppress(MediaError):  # it costs the time of measuring again, and no more
            write_bytes(path, save({"patterns": stored.patterns.cpu().contiguous()}, {"energy": repr(stored.energy)}))
        return stored


def _default_folder() -> Path:
    chosen = os.environ.get(CACHE_VARIABLE)
    cache = Path(chosen) if chosen else platformdirs.user_cache_path("warpnoise", appauthor=False)
    return cache / "filter_banks"


def _read(path: Path, key: Key) -> Stored | None:
    """None where there is no such file, or where it is not what it should be."""
    shape = (key.channels, 3, CELLS * key.size, CELLS * key.size)
    try:
        if path.stat().st_size > 4 * math.prod(shape) + _HEADER_BYTES:
            return None
        with safe_open(path, framework="pt") as file:
            content = file.get_slice("patterns")
            if tuple(content.get_shape()) != shape or content.get_dtype() != "F32":
                return None
            # A copy: what safetensors returns is the mapped file, which another machine may change.
            patterns, energy = file.get_tensor("patterns").clone(), float((file.metadata() or {}).get("energy", "nan"))
    except (OSError, SafetensorError, ValueError):
        return None
    good = bool(torch.isfinite(patterns).all()) and 0 <= energy <= 1
    good = good and deviation(correlations(patterns, key.size)) < MAX_DEVIATION
    return Stored(patterns, energy) if good else None


@contextlib.contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """One process at a time, where the folder can hold a lock."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError, Timeout, NotImplementedError):
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(FileLock(os.fspath(path) + ".lock", timeout=_LOCK_SECONDS))
        yield
