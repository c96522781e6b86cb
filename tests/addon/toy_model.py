"""A diffusion model at toy size, written by the backend's Python."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import warpnoise_addon

PYTHON = os.environ.get("WARPNOISE_PYTHON", "")


def write_toy_model(folder: Path) -> Path:
    """A class-conditional model of pixels, with the styles ink and clay."""
    script = "import sys; from pathlib import Path; from tiny_models import write_styled_model as write; "
    script += "write(Path(sys.argv[1]))"
    tests = Path(warpnoise_addon.__file__).parents[1] / "tests" / "backend"
    environment = os.environ | {"PYTHONPATH": str(tests)}
    subprocess.run([PYTHON, "-c", script, str(folder)], env=environment, check=True, timeout=300)
    return folder
