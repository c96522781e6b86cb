"""Chooses the device and the precision."""

from __future__ import annotations

import psutil
import torch

from warpnoise.errors import SettingsError

_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
_BATCH_PIXELS = 1 << 20
_BATCH_LIMIT = 16


def pick_device(device: str | torch.device | None = None) -> torch.device:
    """The requested device. None: ``cuda`` if available, else ``mps``, else ``cpu``.

    Raises:
        SettingsError: the name is not that of a device, or the device is not available.
    """
    if device is None:
        return torch.device(
            "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        )
    try:
        chosen = torch.device(device)
    except RuntimeError:
        chosen = torch.device("meta")
    if chosen.type not in ("cpu", "cuda", "mps"):
        raise SettingsError(f"device: expected cuda, cuda:N, mps or cpu, got {device!r}")
    if chosen.type == "mps" and not torch.backends.mps.is_available():
        raise SettingsError(
            "device mps is not available: it needs an Apple GPU and macOS 12.3 or later; use cpu or leave it out"
        )
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if chosen.type == "cuda" and count <= (chosen.index or 0):
        found = f"{count} CUDA device(s) found" if count else "no CUDA device was found by this PyTorch"
        raise SettingsError(
            f"device {chosen} is not available: {found}; use cpu, leave it out, or install PyTorch with CUDA"
        )
    return chosen


def pick_dtype(dtype: str | torch.dtype | None, device: torch.device, half: str = "float16") -> torch.dtype:
    """The requested precision. None: ``half`` on GPUs; on a CPU, bfloat16 if it supports that, else float32.

    Raises:
        SettingsError: not a floating-point type that models run in.
    """
    if dtype is None:
        if device.type != "cpu":
            return _DTYPES[half]
        return torch.bfloat16 if computes_bfloat16() else torch.float32
    chosen = _DTYPES.get(dtype.removeprefix("torch.")) if isinstance(dtype, str) else dtype
    if chosen is None or chosen not in _DTYPES.values():
        raise SettingsError(f"dtype: expected one of {', '.join(_DTYPES)}, got {dtype!r}")
    return chosen


def computes_bfloat16() -> bool:
    """Whether this CPU supports bfloat16, which takes half the time of float32 (`benchmarks/precision.py`).

    On other CPUs, a step of training took 27 times as long as in float32.
    """
    asked = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # private: it may be missing
    return bool(asked and asked())


def pick_batch(device: torch.device, height: int, width: int) -> int:
    """The number of frames in a batch: a megapixel on a GPU (at most 16 frames), and one on a CPU."""
    if device.type == "cpu":
        return 1
    return max(1, min(_BATCH_LIMIT, _BATCH_PIXELS // (height * width)))


def free_unused(device: torch.device) -> None:
    """Return unused memory to the device, for other programs."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device ran out of memory. CUDA has a class for it; other devices have only words."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


def memory(device: torch.device) -> tuple[int, int]:
    """The total and the free memory of a device in bytes; for the CPU, those of the computer."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return total, free
    if device.type == "mps":
        total = torch.mps.recommended_max_memory()
        return total, max(total - torch.mps.driver_allocated_memory(), 0)
    now = psutil.virtual_memory()
    return now.total, now.available
