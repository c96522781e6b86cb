"""What all of the add-on's tests share. They run in a bpy wheel, or in Blender through ``run_in_blender.py``."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

ONCE = {"backend", "setup", "test_farm.py", "test_openjd.py"}  # what they test imports no bpy, or takes long


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("kill") or item.path.relative_to(HERE).parts[0] in ONCE:
            item.add_marker("once")
