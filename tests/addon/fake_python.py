"""A program that stands for a Python with the backend: the fake backend in a mode."""

from __future__ import annotations

import sys
from pathlib import Path

import bpy

FAKE = Path(__file__).with_name("fake_backend.py")
# Blender's own `sys.executable` may be its program; the fake runs in any Python.
PYTHON = sys.executable if not bpy.app.binary_path else "python3"
PROBED = '{"python": [3, 12, 1], "warpnoise": "0.1.0", "torch": "2.9.0", "cuda": "", "gpu": false}'
"""What it says of itself (see `warpnoise_addon.backend.probe`)."""


def write_fake_python(folder: Path, mode: str, probed: str = PROBED) -> Path:
    """A script in ``folder``; ``mode`` is of `fake_backend.MODES`."""
    program = folder / f"python-{mode}"
    answer = f"[ \"$1\" = -c ] && echo '{probed}' && exit\n"
    program.write_text(f'#!/bin/sh\n{answer}shift 2\nexec "{PYTHON}" "{FAKE}" {mode} "$@"\n')
    program.chmod(0o755)
    return program
