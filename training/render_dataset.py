"""Renders the training images: path-traced scenes and, for each view, its plain twin and its depth.

Run from the repository's root in a Python with the bpy wheel:

    python -m training.render_dataset training/data --scenes 1000

It resumes where it stopped, and several processes may share a folder (`--shard 0/2`, `--shard 1/2`).
The data set's seed and the scene's number determine a scene.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from training import mean_colours, scenes

FORMAT = 5


@dataclass(frozen=True)
class RenderSettings:
    """The settings that determine the pixels. `dataset.json` records them, and a folder has one set."""

    format: int = FORMAT
    seed: int = 0
    size: int = 256
    samples: int = 8
    views: int = 3


def open_folder(folder: Path, settings: RenderSettings) -> None:
    """Makes the data folder, or checks that an existing one has the same settings."""
    for name in ("photo", "plain", "depth", "scenes"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    description = folder / "dataset.json"
    wanted = asdict(settings)
    if description.exists():
        found = json.loads(description.read_text())
        if found != wanted:
            raise SystemExit(
                f"{description} says {found}, asked for {wanted}: use another folder, or the same settings"
            )
    else:
        _write(description, json.dumps(wanted))


def _write(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text)
    beside.replace(path)


def _prepare(settings: RenderSettings) -> bpy.types.Scene:
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.render.resolution_x = scene.render.resolution_y = settings.size
    scene.render.resolution_percentage = 100
    scene.render.threads_mode, scene.render.threads = "FIXED", int(os.environ.get("OMP_NUM_THREADS", "1"))
    scene.cycles.device = "CPU"
    scene.cycles.use_adaptive_sampling = False
    scene.cycles.denoiser = "OPENIMAGEDENOISE"
    scene.cycles.denoising_quality = "BALANCED"  # less than half of the time of HIGH, and no difference to be seen
    scene.cycles.max_bounces, scene.cycles.diffuse_bounces, scene.cycles.glossy_bounces = 5, 3, 3
    scene.cycles.sample_clamp_indirect = 6.0
    _prepare_pictures(scene)
    return scene


def _prepare_pictures(scene: bpy.types.Scene) -> None:
    image, cycles = scene.render.image_settings, scene.cycles
    image.file_format, image.color_mode, image.color_depth = "PNG", "RGB", "8"
    cycles.use_denoising, cycles.pixel_filter_type, cycles.filter_width = True, "BLACKMAN_HARRIS", 1.5


def _render(scene: bpy.types.Scene, path: Path) -> None:
    beside = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    scene.render.filepath = str(beside)
    bpy.ops.render.render(write_still=True)
    beside.replace(path)


def _render_raw(scene: bpy.types.Scene, path: Path) -> None:
    """Renders linear light into a float32 EXR, with one sample at the pixel's centre, as the add-on does."""
    image, cycles = scene.render.image_settings, scene.cycles
    image.file_format, image.color_mode, image.color_depth, image.exr_codec = "OPEN_EXR", "RGB", "32", "ZIP"
    cycles.samples, cycles.max_bounces, cycles.use_denoising = 1, 0, False
    cycles.pixel_filter_type, cycles.filter_width = "BLACKMAN_HARRIS", 0.01
    _render(scene, path)
    _prepare_pictures(scene)


def give_mean_colours(scene: bpy.types.Scene, built: scenes.BuiltScene) -> None:
    """Gives each object its material's mean colour, as the scene's camera sees it."""
    scene.world = built.empty_world

    def render() -> NDArray[np.float32]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "raw.exr")
            _render_raw(scene, path)
            return mean_colours.read_linear(path)

    mean_colours.give_mean_colours(built.index_material, bpy.context.view_layer, render)


def show_rich(scene: bpy.types.Scene, built: scenes.BuiltScene, samples: int) -> None:
    """Sets the scene up for the path-traced picture."""
    scene.world, bpy.context.view_layer.material_override = built.rich_world, None
    scene.cycles.samples, scene.cycles.max_bounces = samples, 5
    scene.view_settings.view_transform, scene.view_settings.look = "AgX", "AgX - Medium High Contrast"
    scene.view_settings.exposure = built.exposure


def show_plain(scene: bpy.types.Scene, built: scenes.BuiltScene, samples: int) -> None:
    """Sets the scene up for the plain twin of what its camera sees."""
    give_mean_colours(scene, built)
    scene.world, bpy.context.view_layer.material_override = built.plain_world, built.plain_material
    scene.cycles.samples, scene.cycles.max_bounces = samples, 1
    scene.view_settings.view_transform, scene.view_settings.look = "Standard", "None"
    scene.view_settings.exposure = built.plain_exposure


def render_scene(folder: Path, number: int, settings: RenderSettings) -> None:
    """Renders all views of scene `number`, rich, plain and depth, and then writes the record that marks it as done."""
    seed = settings.seed * 1_000_003 + number
    built = scenes.build(seed, settings.views)
    scene = _prepare(settings)
    scene.cycles.seed = seed % 2**31
    layer = bpy.context.view_layer
    projections: list[list[list[float]]] = []
    for view, camera in enumerate(built.cameras):
        scene.camera = camera
        name = f"{number:05d}_{view}.png"

        show_rich(scene, built, settings.samples)
        _render(scene, folder / "photo" / name)

        camera.data.dof.use_dof = False
        show_plain(scene, built, max(3, settings.samples // 3))
        _render(scene, folder / "plain" / name)

        scene.world, layer.material_override = built.empty_world, built.depth_material
        _render_raw(scene, folder / "depth" / f"{number:05d}_{view}.exr")  # projective: 1 / z, 0 at infinity
        matrix = _projection(scene, camera)
        projections.append([list(matrix[row]) for row in range(4)])
    record = {"seed": seed, "layout": built.layout, "views": settings.views, "projections": projections,
              "blender": bpy.app.version_string}  # fmt: skip
    _write(folder / "scenes" / f"{number:05d}.json", json.dumps(record))


def _projection(scene: bpy.types.Scene, camera: bpy.types.Object) -> Matrix:
    """The OpenGL clip matrix, in the convention of job folders."""
    size = scene.render.resolution_x, scene.render.resolution_y
    return camera.calc_matrix_camera(bpy.context.evaluated_depsgraph_get(), x=size[0], y=size[1])


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scenes", type=int, default=1000, help="scenes in all (default %(default)s)")
    parser.add_argument("--seed", type=int, default=RenderSettings.seed)
    parser.add_argument("--size", type=int, default=RenderSettings.size, help="pixels a side (default %(default)s)")
    parser.add_argument(
        "--samples", type=int, default=RenderSettings.samples, help="paths a pixel (default %(default)s)"
    )
    parser.add_argument("--views", type=int, default=RenderSettings.views, help="cameras a scene (default %(default)s)")
    parser.add_argument("--shard", default="0/1", help="this process's share of the scenes, I/N (default %(default)s)")
    options = parser.parse_args(arguments)
    try:
        shard, shards = (int(part) for part in options.shard.split("/"))
    except ValueError:
        parser.error(f"--shard wants I/N, such as 0/2; got {options.shard!r}")
    if not 0 <= shard < shards:
        parser.error(f"--shard I/N wants 0 <= I < N; got {options.shard}")
    settings = RenderSettings(seed=options.seed, size=options.size, samples=options.samples, views=options.views)
    open_folder(options.folder, settings)
    todo = [
        n for n in range(shard, options.scenes, shards) if not (options.folder / "scenes" / f"{n:05d}.json").exists()
    ]
    start = time.monotonic()
    for done, number in enumerate(todo, 1):
        render_scene(options.folder, number, settings)
        print(
            f"scene {number}: {done} of {len(todo)}, {(time.monotonic() - start) / done:.1f} s each",
            file=sys.stderr,
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
