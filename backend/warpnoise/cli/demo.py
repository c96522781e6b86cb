"""``warpnoise demo``: renders and stylizes a bundled scene."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from warpnoise.cli.display import in_words, say, show_progress
from warpnoise.cli.interrupt import interruptible
from warpnoise.cli.shared_options import device_option, options_of
from warpnoise.job import Settings


@click.command("demo", short_help="Render and stylize a bundled scene.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="The output folder, which becomes a job folder.",
)
@click.option("--blender", metavar="PROGRAM", help="Blender 4.2 or later. Default: WARPNOISE_BLENDER.")
@click.option("--python", metavar="PROGRAM", help="A Python with the bpy wheel. Default: WARPNOISE_BPY_PYTHON.")
@click.option("--frames", type=click.IntRange(2, 240), default=24, show_default=True, help="The number of frames.")
@click.option(
    "--size", type=click.IntRange(64, 1024), default=256, show_default=True, help="Width and height in pixels."
)
@click.option(
    "--random/--no-random", default=True, help="Also stylize with random noise, for comparison. Default: yes."
)
@click.option("--scene-only", is_flag=True, help="Only build scene.blend.")
@options_of(Settings)
@device_option
def demo_command(blender: str | None, python: str | None, settings: dict[str, Any], **options: Any) -> None:
    """Build a scene, stylize it in Blender, and show the result beside the render.

    Without --blender and --python, the command uses WARPNOISE_BLENDER, WARPNOISE_BPY_PYTHON or `blender` on the PATH.
    It writes to the output folder: the results (results/), the scene with the result in its compositor
    (stylized.blend), and a comparison (side_by_side.png, .mp4 and .webp). This takes a few minutes on two cores.
    Without --style, the default model uses ink.

    \b
    Examples:
      warpnoise demo --output demo-job
      warpnoise demo --output demo-job --blender ~/blender-5.2/blender
      warpnoise demo --output demo-job --python .envs/bpy-5.0.1/bin/python
    """
    with interruptible() as interrupt:
        from warpnoise.demo.blender import find_blender
        from warpnoise.demo.steps import DEMO_SETTINGS, DemoOptions, run_demo

        styleless = {"style": None} if "model" in settings else {}  # another model has other styles
        chosen = DemoOptions(settings=DEMO_SETTINGS.updated(styleless | settings), **options)
        found = find_blender(blender, python)
        with show_progress() as listener:
            result = run_demo(found, chosen, say=say, progress=listener, cancelled=interrupt)
    print(f"done in {in_words(result.seconds)}")
    for name, path in asdict(result).items():
        if isinstance(path, Path):
            print(f"  {name.replace('_', ' '):<16}{path}")
