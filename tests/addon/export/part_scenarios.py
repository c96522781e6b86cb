"""What `test_kill_points` does in processes of its own: Blender renders in each."""

from __future__ import annotations

from pathlib import Path

import bpy

from warpnoise_addon.export import ExportOptions, export_job

from .export_scenes import add_camera, add_mesh, empty_scene, key

FRAMES = 2


def export_whole(folder: Path) -> None:
    """Exports a moving cube of 16 x 16 pixels into ``folder/job``, and keeps what an earlier export left whole."""
    scene = empty_scene(16, 16)
    add_camera(scene)
    key(add_mesh(scene, "cube", "Cube", size=3), "location", {1: (0, 0, 0), FRAMES: (1, 0, 0)})
    for _ in export_job(bpy.context, ExportOptions(folder / "job", 1, FRAMES, keep_existing=True)):
        pass
