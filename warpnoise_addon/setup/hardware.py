"""Which build of PyTorch suits this computer."""

from __future__ import annotations

import contextlib
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from ..child import TimedOut, ask

ASK_SECONDS = 10.0


@dataclass(frozen=True)
class Build:
    """``index``: where pip finds this build of PyTorch; "" is its own package index. ``download``: GB, roughly."""

    name: str
    title: str
    index: str
    download: float


_PYTORCH = "https://download.pytorch.org/whl"
BUILDS = {
    build.name: build
    for build in (
        Build("cuda", "CUDA (NVIDIA)", f"{_PYTORCH}/cu128", 3.5),
        Build("rocm", "ROCm (AMD)", f"{_PYTORCH}/rocm6.4", 5.0),
        Build("metal", "Metal (Apple)", "", 0.5),
        Build("cpu", "CPU", f"{_PYTORCH}/cpu", 0.6),
        Build("index", "What pip's own index has", "", 3.5),
    )
}
"""The one place that says where PyTorch's builds are (https://pytorch.org/get-started/locally)."""


@dataclass(frozen=True)
class Hardware:
    """``build``: the name of the one that suits; ``gpu``: what was found, "" for nothing that PyTorch can use."""

    build: str
    gpu: str = ""


def detect() -> Hardware:
    """Look for a graphics card that PyTorch can use; takes some seconds at most."""
    if sys.platform == "darwin":
        arm = platform.machine() == "arm64"
        return Hardware("metal" if arm else "index", "Apple" if arm else "")
    if name := _nvidia():
        return Hardware("cuda", name)
    if sys.platform == "linux" and (Path("/dev/kfd").exists() or shutil.which("rocminfo")):
        return Hardware("rocm", "AMD")
    return Hardware("cpu")


def _nvidia() -> str:
    """The first card's name, as the driver tells it: a tool without a working driver is no card."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    with contextlib.suppress(OSError, TimedOut):
        status, said, _ = ask([program, "--query-gpu=name", "--format=csv,noheader"], ASK_SECONDS)
        if status == 0 and said:
            return said[0].strip()
    return ""
