"""The demo's steps: build the scene, stylize it, stylize it with random noise, and compare the two."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from warpnoise.demo.blender import Blender, run_blender
from warpnoise.demo.comparison import Strip, write_animation, write_sheet, write_side_by_side
from warpnoise.errors import JobError
from warpnoise.job import Settings, Shot
from warpnoise.job.settings_schema import as_options
from warpnoise.pipeline import stylize
from warpnoise.progress import Progress

SCENE = Path(__file__).with_name("scene.py")
DEMO_SETTINGS = Settings(style="ink", strength=0.5)
"""What the default model does best today."""

ADDON_PREFIX = "warpnoise: "
"""What the lines of the add-on's command begin with."""


@dataclass(frozen=True)
class DemoOptions:
    """``settings``: of the stylizing. ``random``: also with random noise in every frame, to compare with.
    ``scene_only``: build the scene, and no more."""

    output: Path
    settings: Settings
    frames: int = 24
    size: int = 256
    device: str | None = None
    random: bool = True
    scene_only: bool = False


@dataclass(frozen=True)
class DemoResult:
    """The files of the demo. None for those that were not requested."""

    scene: Path
    seconds: float
    stylized_scene: Path | None = None
    movie: Path | None = None
    random_movie: Path | None = None
    picture: Path | None = None
    side_by_side: Path | None = None
    animation: Path | None = None


def run_demo(
    blender: Blender,
    options: DemoOptions,
    *,
    say: Callable[[str], None] = lambda line: None,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> DemoResult:
    """Everything from the scene to the comparison, in the folder ``options.output``, which is also the job folder.

    Run again, it keeps the frames that are finished.

    Args:
        say: takes a line of text for each step, and the lines of the add-on's command.
        progress: takes the pipeline's own progress, of the run with random noise.

    Raises:
        BlenderError: Blender failed; its output is in ``blender.log``.
        JobError, MediaError, ModelError, SettingsError: from the stylizing.
        Cancelled: ``cancelled()`` was true.
    """
    started = time.monotonic()
    folder = options.output.expanduser().resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JobError(f"{folder} cannot be made: {error.strerror}. Choose another --output.") from None
    scene, stylized, log = folder / "scene.blend", folder / "stylized.blend", folder / "blender.log"
    log.unlink(missing_ok=True)
    environment = blender.environment()

    say("building the scene")
    build = blender.script(SCENE, str(scene), "--frames", str(options.frames), "--size", str(options.size))
    run_blender(build, environment, log, cancelled=cancelled, what="Building the scene")

    if options.scene_only:
        return DemoResult(scene, time.monotonic() - started)

    say("rendering and stylizing it in Blender")
    command = blender.command(scene, *_arguments(options, folder, stylized))

    def hear(line: str) -> None:
        if line.startswith(ADDON_PREFIX):  # the rest is Blender's own, and in the log
            say("  " + line.removeprefix(ADDON_PREFIX))

    run_blender(command, environment, log, say=hear, cancelled=cancelled, what="Stylizing the scene")

    shot = Shot.open(folder)
    result = shot.current()
    if result is None:
        raise JobError(f"{folder} has no current result, though Blender stylized the scene. Its output is in {log}.")
    strips = [Strip("render", [*map(shot.color, shot.frames)])]
    random_movie = None
    if options.random:
        say("stylizing once more, with random noise in every frame")
        settings = options.settings.updated({"noise": "random"})
        done = stylize(shot, settings, device=options.device, progress=progress, cancelled=cancelled)
        shot.use(result)
        random_movie = done.movie
        if done.result is not None:
            strips.append(Strip("random noise in every frame", [*map(done.result.frame, shot.frames)]))
    strips.append(Strip("Warpnoise", [*map(result.frame, shot.frames)]))

    say("laying them side by side")
    sheet, movie, animation = (folder / f"side_by_side.{suffix}" for suffix in ("png", "mp4", "webp"))
    write_sheet(sheet, strips, shot.frames)
    write_side_by_side(movie, strips, shot.scene.rate)
    write_animation(animation, strips, shot.scene.rate)
    seconds = time.monotonic() - started
    return DemoResult(scene, seconds, stylized, result.movie, random_movie, sheet, movie, animation)


def _arguments(options: DemoOptions, folder: Path, stylized: Path) -> list[str]:
    """Those of the add-on's command."""
    settings = options.settings
    if settings.model != "default":
        settings = settings.updated({"model": str(Path(settings.model).expanduser().resolve())})
    own = {"frames": f"1:{options.frames}", "output": folder, "save": stylized, "device": options.device}
    named = [f"--{name}={value}" for name, value in own.items() if value is not None]
    return ["stylize", *named, *as_options(settings)]
