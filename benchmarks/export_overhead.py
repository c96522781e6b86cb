"""What an export adds to a frame's beauty render: the motion's render and the files, against the same frame's beauty.

    .envs/bpy-5.0.1/bin/python benchmarks/export_overhead.py [--size 1024] [--frames 3]
    blender --background --factory-startup --python benchmarks/export_overhead.py -- [--size 1024] [--frames 3]

Beauty: ``bpy.ops.render.render`` of the scene as it is, into a 16-bit PNG. Export: colour and motion into a job folder.
Both render the same frames in turns, in one process. Seconds are those of the clock, and those of all cores together,
which other work on the machine hardly changes. Without bpy it says so and ends.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

try:
    import bpy
except ImportError:
    print("export_overhead: skipped, as it needs bpy; run it with a bpy wheel's Python, or inside Blender")
    sys.exit(0)

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from warpnoise_addon.export import ExportOptions, export_job


def build_scene(size: int) -> bpy.types.Scene:
    """Twelve subdivided monkeys on a ground, a moving camera, 4 samples of Cycles."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 4
    scene.cycles.use_denoising = False
    scene.render.resolution_x = scene.render.resolution_y = size
    scene.render.resolution_percentage = 100
    scene.world = bpy.data.worlds.new("World")
    bpy.ops.mesh.primitive_plane_add(size=40)
    for index in range(12):
        bpy.ops.mesh.primitive_monkey_add(location=(2.5 * (index % 4) - 4, 2.5 * (index // 4) - 3, 1))
        monkey = bpy.context.object
        monkey.modifiers.new("Subdivision", "SUBSURF").render_levels = 2
        monkey.rotation_euler.z = index
        monkey.keyframe_insert("rotation_euler", frame=1)
        monkey.rotation_euler.z = index + 1
        monkey.keyframe_insert("rotation_euler", frame=24)
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    camera.rotation_euler = (math.radians(65), 0, 0)
    for frame, x in ((1, -1.0), (24, 1.0)):
        camera.location = (x, -18, 9)
        camera.keyframe_insert("location", frame=frame)
    return scene


def render_beauty(scene: bpy.types.Scene, frame: int, path: Path) -> None:
    settings = scene.render.image_settings
    settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGB", "16"
    scene.render.filepath = str(path)
    scene.frame_set(frame)
    bpy.ops.render.render(write_still=True)


def measure(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the clock, and of all cores together."""
    clock, cores = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - cores


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="export_overhead", description="What an export adds to a frame's beauty render."
    )
    parser.add_argument("--size", type=int, default=1024, help="width and height in pixels")
    parser.add_argument("--frames", type=int, default=3)
    arguments = parser.parse_args(sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else None)
    scene = build_scene(arguments.size)
    beauty, export = [], []
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "beauty.png"
        exporting = export_job(bpy.context, ExportOptions(Path(folder) / "job", 1, 1 + arguments.frames))
        render_beauty(scene, 1, picture)  # the first of each only warms up
        next(exporting)
        for frame in range(2, 2 + arguments.frames):
            export.append(measure(lambda: next(exporting)))
            beauty.append(measure(partial(render_beauty, scene, frame, picture)))
        exporting.close()
    alone, everything = np.median(beauty, axis=0), np.median(export, axis=0)
    added = np.median(np.subtract(export, beauty), axis=0)
    lines = [
        f"Blender {bpy.app.version_string}, {arguments.size} x {arguments.size}, {os.cpu_count()} cores",
        *(
            f"{name:15} {clock:6.2f} s a frame by the clock, {cores:6.2f} s of all cores"
            for name, (clock, cores) in (("beauty", alone), ("export", everything), ("the export adds", added))
        ),
        f"added / beauty  {added[1] / alone[1]:6.2f} (of all cores)",
    ]
    print("\n".join(lines), file=sys.stderr)


main()
