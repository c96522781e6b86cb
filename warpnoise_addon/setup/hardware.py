"""Detects the graphics card and chooses the build of PyTorch that its driver can run."""

from __future__ import annotations

import contextlib
import platform
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from ..child import TimedOut, ask

ASK_SECONDS = 10.0
KFD = Path("/dev/kfd")
"""The device of AMD's compute driver."""
ROCM_VERSION = Path("/opt/rocm/.info/version")


@dataclass(frozen=True)
class Build:
    """``index``: where pip finds this build of PyTorch; "" is its own package index. ``download``: GB, roughly."""

    name: str
    title: str
    index: str
    download: float

    @property
    def extras(self) -> str:
        """The backend's optional dependencies that this build wants."""
        return "serve,cuda" if self.name.startswith("cu") else "serve"


_PYTORCH = "https://download.pytorch.org/whl"
BUILDS = {
    build.name: build
    for build in (
        Build("cu130", "CUDA 13.0 (NVIDIA)", f"{_PYTORCH}/cu130", 2.8),
        Build("cu128", "CUDA 12.8 (NVIDIA)", f"{_PYTORCH}/cu128", 3.6),
        Build("cu126", "CUDA 12.6 (NVIDIA)", f"{_PYTORCH}/cu126", 3.5),
        Build("rocm7.2", "ROCm 7.2 (AMD)", f"{_PYTORCH}/rocm7.2", 5.0),
        Build("rocm6.4", "ROCm 6.4 (AMD)", f"{_PYTORCH}/rocm6.4", 5.0),
        Build("metal", "Metal (Apple)", "", 0.5),
        Build("cpu", "CPU", f"{_PYTORCH}/cpu", 0.6),
        Build("index", "The build in pip's own index", "", 3.5),
    )
}
"""The one place that says where PyTorch's builds are (https://pytorch.org/get-started/locally)."""

TURING, BLACKWELL = (7, 5), (10, 0)
"""Compute capabilities. CUDA 13 dropped those before Turing; Blackwell needs 12.8 (PyTorch's RELEASE.md)."""
CUDA_13, CUDA_12_8, CUDA_12 = 580, 570, 525
"""The first NVIDIA drivers that run these (CUDA's release notes, minor version compatibility)."""


@dataclass(frozen=True)
class Hardware:
    """``build``: the name of the one that suits; ``gpu``: the graphics card, "" if PyTorch can use none.

    ``advice``: what would make a better build possible.
    """

    build: str
    gpu: str = ""
    advice: str = ""


def detect() -> Hardware:
    """Look for a graphics card that PyTorch can use; takes some seconds at most."""
    if sys.platform == "darwin":
        arm = platform.machine() == "arm64"
        return Hardware("metal" if arm else "index", "Apple" if arm else "")
    if card := _nvidia():
        return _cuda(*card)
    if sys.platform == "linux" and (KFD.exists() or shutil.which("rocminfo")):
        return Hardware("rocm6.4" if _rocm() in (5, 6) else "rocm7.2", "AMD")
    return Hardware("cpu")


def _cuda(name: str, driver: int, capability: tuple[int, int]) -> Hardware:
    if driver >= CUDA_13 and capability >= TURING:
        return Hardware("cu130", name)
    if driver >= CUDA_12_8 and capability >= BLACKWELL:
        return Hardware("cu128", name)
    needed = CUDA_12_8 if capability >= BLACKWELL else CUDA_12
    if driver < needed:
        return Hardware(
            "cpu",
            advice=f"The driver {driver} of the {name} is too old for PyTorch. Update it to {needed} or newer to use "
            "the graphics card",
        )
    return Hardware("cu126", name)


def _nvidia() -> tuple[str, int, tuple[int, int]] | None:
    """The first card's name, driver branch and compute capability. A tool without a working driver is no card."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    with contextlib.suppress(OSError, TimedOut):
        query = "--query-gpu=name,driver_version,compute_cap"
        status, said, _ = ask([program, query, "--format=csv,noheader"], ASK_SECONDS)
        match = re.fullmatch(r"(.+), (\d+)[\d.]*, (\d+)\.(\d+)", said[0].strip()) if status == 0 and said else None
        if match:
            return match[1], int(match[2]), (int(match[3]), int(match[4]))
    return None


def _rocm() -> int:
    """The major version of the installed ROCm; 0: it is not known."""
    with contextlib.suppress(OSError, ValueError):
        return int(ROCM_VERSION.read_text(encoding="ascii").partition(".")[0])
    return 0
