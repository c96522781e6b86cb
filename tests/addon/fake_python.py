"""A program that stands for a Python with the backend: the fake backend in a mode."""

from __future__ import annotations

import sys
from pathlib import Path

import bpy

FAKE = Path(__file__).with_name("fake_backend.py")
# Blender's own `sys.executable` may be its program; the fake runs in any Python.
PYTHON = sys.executable if not bpy.app.binary_path else "python3"


def write_fake_python(folder: Path, mode: str) -> Path:
    """A script in ``folder``; ``mode`` is of `fake_backend.MODES`."""
    program = folder / f"python-{mode}"
    program.write_text(f'#!/bin/sh\nshift 2\nexec "{PYTHON}" "{FAKE}" {mode} "$@"\n')
    program.chmod(0o755)
    return program
