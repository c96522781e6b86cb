"""Scenes to export: empty, small, and fast to render."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy
import pytest

from warpnoise_addon.export import ExportedFrame, ExportOptions, export_job


@pytest.fixture
def scene() -> bpy.types.Scene:
    """An empty scene of 64 x 64 pixels, one Cycles sample, with a camera at (0, -10, 0) that looks along +y."""
    from .export_scenes import add_camera, empty_scene

    scene = empty_scene(64, 64)
    add_camera(scene)
    return scene


@pytest.fixture
def export(tmp_path: Path) -> Callable[..., list[ExportedFrame]]:
    """``export(1, 3, frame_step=2, ...)``: exports the current scene into ``tmp_path / "job"``."""

    def run(start: int, end: int, **options: Any) -> list[ExportedFrame]:
        return list(export_job(bpy.context, ExportOptions(tmp_path / "job", start, end, **options)))

    return run


@pytest.fixture(autouse=True)
def no_handlers_left() -> Iterator[None]:
    """Every test leaves Blender's handlers as they were."""
    kinds = ("frame_change_pre", "frame_change_post", "render_pre", "render_post")
    before = {kind: list(getattr(bpy.app.handlers, kind)) for kind in kinds}
    yield
    assert {kind: list(getattr(bpy.app.handlers, kind)) for kind in kinds} == before
