"""Renders the held-out shots for comparing noise methods: job folders, and path-traced references.

Run from the repository's root in a Python with the bpy wheel:

    python -m training.shots shots

For each shot: `shots/NAME/job`, exported by the add-on from the scene in flat colours, and `shots/NAME/reference`, the
same frames path-traced with materials and light. It resumes where it stopped. The scenes' seeds differ from those of
`training.render_dataset`.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import bpy
from mathutils import Matrix, Vector

from training import scenes
from training.render_dataset import RenderSettings, _prepare, _render, show_plain, show_rich

FRAMES, SIZE, SAMPLES = 24, 256, 48


@dataclass(frozen=True)
class Shot:
    """`speed`: the camera's step per frame, in the unit of its move."""

    name: str
    seed: int
    move: str
    speed: float


SHOTS = (
    Shot("truck", 900_000_014, "truck", 3.5),
    Shot("orbit", 900_000_003, "orbit", 1.6),
    Shot("dolly", 900_000_017, "dolly", 1.02),
)


def animate(scene: bpy.types.Scene, camera: bpy.types.Object, shot: Shot) -> None:
    """Keys the camera at every frame; in the dolly, the object nearest to the focus turns."""
    start = camera.matrix_world.copy()
    forward = start.to_quaternion() @ Vector((0.0, 0.0, -1.0))
    hit, place, *_ = scene.ray_cast(bpy.context.evaluated_depsgraph_get(), start.translation, forward)
    distance = (place - start.translation).length if hit else 4.0
    focus = start.translation + forward * distance
    things = [each for each in scene.objects if each.type == "MESH" and not each.name.startswith(("ground", "wall"))]
    turning = min(things, key=lambda each: (each.matrix_world.translation - focus).length)
    for frame in range(1, FRAMES + 1):
        camera.matrix_world = MOVES[shot.move](start, focus, camera.data, shot.speed, frame - (FRAMES + 1) / 2)
        camera.keyframe_insert("location", frame=frame)
        camera.rotation_mode = "QUATERNION"
        camera.keyframe_insert("rotation_quaternion", frame=frame)
        if shot.move == "dolly":
            turning.rotation_euler.z += math.radians(2.5)
            turning.keyframe_insert("rotation_euler", frame=frame)


def _truck(start: Matrix, focus: Vector, lens: bpy.types.Camera, speed: float, time: float) -> Matrix:
    """Moves sideways, `speed` pixels per frame at the focus."""
    pixel = lens.sensor_width / lens.lens * (focus - start.translation).length / SIZE
    return Matrix.Translation(start.to_quaternion() @ Vector((speed * pixel * time, 0.0, 0.0))) @ start


def _orbit(start: Matrix, focus: Vector, lens: bpy.types.Camera, speed: float, time: float) -> Matrix:
    """Moves around the focus, `speed` degrees per frame."""
    turn = Matrix.Rotation(math.radians(speed * time), 4, "Z")
    return Matrix.Translation(focus) @ turn @ Matrix.Translation(-focus) @ start


def _dolly(start: Matrix, focus: Vector, lens: bpy.types.Camera, speed: float, time: float) -> Matrix:
    """Moves towards the focus, which grows by `speed` per frame, and a little sideways."""
    way, time = focus - start.translation, time + (FRAMES - 1) / 2
    aside = start.to_quaternion() @ Vector((0.003 * way.length * time, 0.0, 0.0))
    return Matrix.Translation(way * (1 - speed**-time) + aside) @ start


MOVES: dict[str, Callable[[Matrix, Vector, bpy.types.Camera, float, float], Matrix]] = {
    "truck": _truck,
    "orbit": _orbit,
    "dolly": _dolly,
}


def render_shot(folder: Path, shot: Shot, preview: bool) -> None:
    """Writes the plain scene's file, missing frames of the reference, and the job. `preview`: two frames, no job."""
    settings = RenderSettings(size=SIZE, samples=SAMPLES)
    built = scenes.build(shot.seed, views=1)
    scene = _prepare(settings)
    scene.frame_start, scene.frame_end, scene.render.fps = 1, FRAMES, 24
    scene.camera = built.cameras[0]
    scene.camera.data.dof.use_dof = False  # what is out of focus has no motion of its own
    bpy.context.view_layer.update()
    animate(scene, scene.camera, shot)

    show_plain(scene, built, samples=8)
    folder.mkdir(parents=True, exist_ok=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(folder.absolute() / "plain.blend"), compress=True)

    show_rich(scene, built, SAMPLES)
    (folder / "reference").mkdir(exist_ok=True)
    for frame in (1, FRAMES) if preview else range(1, FRAMES + 1):
        path = folder / "reference" / f"{frame:04d}.png"
        if not path.exists():
            scene.frame_set(frame)
            _render(scene, path)
    if not preview and not (folder / "job" / "job.json").exists():
        command = [sys.executable, "-m", "warpnoise_addon", str(folder / "plain.blend"), "export"]
        subprocess.run([*command, "--frames", f"1:{FRAMES}", "--output", str(folder.absolute() / "job")], check=True)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=[shot.name for shot in SHOTS], help="one of the shots")
    parser.add_argument("--preview", action="store_true", help="only the references' first and last frames")
    options = parser.parse_args(arguments)
    for shot in SHOTS:
        if options.only in (None, shot.name):
            render_shot(options.folder / shot.name, shot, options.preview)
            print(f"{shot.name}: done", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
