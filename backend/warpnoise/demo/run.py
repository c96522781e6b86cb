"""The demo's steps: a scene, the add-on's command on it, the same with fresh noise, and the comparison."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from warpnoise.demo.blender import Blender, run_blender
from warpnoise.demo.comparison import Strip, write_sheet, write_side_by_side
from warpnoise.errors import JobError
from warpnoise.job import Settings, Shot
from warpnoise.pipeline import Progress, stylize

SCENE = Path(__file__).with_name("scene.py")
DEMO_SETTINGS = Settings(style="ink", strength=0.5)
"""What the default model does best today."""

ADDON_PREFIX = "warpnoise: "
"""What the lines of the add-on's command begin with."""


@dataclass(frozen=True)
class DemoOptions:
    """``settings``: of the stylizing. ``fresh``: also with fresh noise in every frame, to compare with.
    ``scene_only``: build the scene, and no more."""

    output: Path
    settings: Settings
    frames: int = 24
    size: int = 256
    device: str | None = None
    fresh: bool = True
    scene_only: bool = False


@dataclass(frozen=True)
class DemoResult:
    """What was made; None where it was not asked for."""

    scene: Path
    seconds: float
    stylized_scene: Path | None = None
    movie: Path | None = None
    fresh_movie: Path | None = None
    picture: Path | None = None
    side_by_side: Path | None = None


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
        progress: takes the pipeline's own progress, of the run with fresh noise.

    Raises:
        BlenderError: Blender failed; its output is in ``blender.log``.
        JobError, MediaError, ModelError, SettingsError: from the stylizing.
        Cancelled: ``cancelled()`` was true.
    """
    started = time.monotonic()
    folder = options.output.expanduser().resolve()
    _make(folder)
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

    job = Shot.open(folder)
    strips = [Strip("render", [job.color(frame) for frame in job.frames])]
    fresh_movie = None
    if options.fresh:
        say("stylizing once more, with fresh noise in every frame")
        fresh = _twin(job, folder / "fresh_noise")
        settings = options.settings.updated({"noise": "random"})
        fresh_movie = stylize(fresh, settings, device=options.device, progress=progress, cancelled=cancelled).movie
        strips.append(Strip("fresh noise in every frame", [fresh.stylized(frame) for frame in fresh.frames]))
    strips.append(Strip("Warpnoise", [job.stylized(frame) for frame in job.frames]))

    say("laying them side by side")
    sheet, movie = folder / "side_by_side.png", folder / "side_by_side.mp4"
    write_sheet(sheet, strips, job.frames)
    write_side_by_side(movie, strips, job.scene.rate)
    seconds = time.monotonic() - started
    return DemoResult(scene, seconds, stylized, job.movie, fresh_movie, sheet, movie)


def _arguments(options: DemoOptions, folder: Path, stylized: Path) -> list[str]:
    """Those of the add-on's command. In one word with their values, so that a prompt may begin with a dash."""
    given: dict[str, object] = {"frames": f"1:{options.frames}", "output": folder, "save": stylized}
    given |= options.settings.model_dump() | {"device": options.device}
    if options.settings.model != "default":
        given["model"] = Path(options.settings.model).expanduser().resolve()
    return [
        "stylize",
        *(f"--{name.replace('_', '-')}={value}" for name, value in given.items() if value not in (None, "")),
    ]


def _twin(job: Shot, folder: Path) -> Shot:
    """A second job folder of the same passes and colours."""
    _make(folder)
    for name in ("color", "passes"):
        shutil.rmtree(folder / name, ignore_errors=True)
        shutil.copytree(job.path / name, folder / name)
    shutil.copyfile(job.path / "job.json", folder / "job.json")
    return Shot.open(folder)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JobError(f"{folder} cannot be made: {error.strerror}. Choose another --output.") from None
