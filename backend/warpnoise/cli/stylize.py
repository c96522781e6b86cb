"""``warpnoise stylize`` and ``warpnoise keyframes``: stylize all frames of a job folder, or its key frames."""

from __future__ import annotations

import re
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import click

from warpnoise.cli.display import Kind, in_words, show_progress, write_json
from warpnoise.cli.interrupt import interruptible
from warpnoise.cli.shared_options import (
    batch_option,
    device_option,
    dtype_option,
    frames_option,
    job_argument,
    options_of,
    progress_options,
)
from warpnoise.job import Settings

_Part = tuple[int, int] | None


def _part(context: click.Context, parameter: click.Parameter, value: str | None) -> _Part:
    if value is None:
        return None
    match = re.fullmatch(r"(\d{1,7})/(\d{1,7})", value, re.ASCII)
    if match is None:
        raise click.BadParameter(f"expected K/N like 3/10, got {value!r}")
    return int(match[1]), int(match[2])


@click.command("stylize", short_help="Stylize a job folder.")
@job_argument
@options_of(Settings)
@frames_option
@click.option("--chunk", metavar="K/N", callback=_part, help="Only the K-th of N equal parts of the frames.")
@click.option("--preview", is_flag=True, help="Make no movie, and do not change the result in use.")
@device_option
@dtype_option
@click.option(
    "--offload",
    type=click.Choice(["none", "model", "group"]),
    help="Keep the model in main memory, and move one part (model) or one layer (group) at a time to the device. "
    "Default: as little as possible, depending on the memory.",
)
@click.option(
    "--quantize",
    type=click.Choice(["none", "8bit", "4bit"]),
    help="Store the weights of the network and the text encoders in fewer bits, which changes the pictures "
    "slightly. Default: only if the model does not fit otherwise.",
)
@click.option(
    "--tiling",
    type=click.Choice(["auto", "on", "off"]),
    default="auto",
    help="Run the autoencoder in tiles, whose seams do not move with the picture. Default: auto, only if a whole "
    "picture does not fit.",
)
@batch_option
@click.option("--movie/--no-movie", default=True, help="Write the movie when all frames are finished. Default: yes.")
@progress_options
def stylize_command(
    job: Path,
    settings: dict[str, Any],
    frames: str,
    chunk: _Part,
    offload: Any,
    quantize: Any,
    tiling: Any,
    progress: Kind,
    **options: Any,
) -> None:
    """Stylize the animation in the job folder JOB.

    Settings that you leave out are taken from JOB/job.json. Each set of settings has its own result folder in
    JOB/results, with frames/, movie.mp4 and settings.json. JOB/current.json names the result in use. Ctrl-C stops
    after the current denoising step. If you run the command again, it keeps the finished frames whose inputs have not
    changed, and makes the others.

    With --frames or --chunk, only some of the frames are stylized. They are bit-identical to those of a full run,
    because the noise still moves through all earlier frames. Several processes and machines can work on different
    chunks of a shot. The one that finishes the last frame writes the movie. With coherence, as by default, a chunk
    consists of whole segments (a key frame and the frames up to the next one), and missing key frames are stylized as
    well. If there are fewer segments than chunks, some chunks are empty. With --coherence off, chunks are equal parts.

    \b
    Examples:
      warpnoise stylize JOB
      warpnoise stylize JOB --strength 0.6 --seed 3
      warpnoise stylize JOB --model ~/models/stable-diffusion-v1-5 --prompt "an ink drawing"
      warpnoise stylize JOB --frames 12 --preview     one frame, with the noise of the whole shot
      warpnoise stylize JOB --noise random            the flicker without warped noise, for comparison
      warpnoise stylize JOB --chunk 3/10              the third of ten equal parts, for a render farm
      warpnoise stylize JOB --frames 1-9:2,20 --no-movie      some frames, without a movie
    """
    with interruptible() as interrupt, show_progress(progress) as listener:
        from warpnoise.job import Shot, chunk_of, select_frames
        from warpnoise.pipeline import stylize, whole_segments
        from warpnoise.sdedit import load_model
        from warpnoise.sdedit.memory_plan import MemoryOptions

        opened = Shot.open(job, needs=())
        chosen = opened.settings.updated(settings)
        subset = select_frames(opened.frames, frames)
        if chunk is not None:
            subset = [frame for part in chunk_of(whole_segments(opened, chosen, subset), *chunk) for frame in part]
        summary = stylize(
            opened,
            chosen,
            frames=subset,
            load=partial(load_model, memory=MemoryOptions(offload, quantize, tiling)),
            progress=listener,
            cancelled=interrupt,
            **options,
        )
    if progress == "json":
        write_json("summary", asdict(summary) | {"result": summary.result and summary.result.name})
        return
    if summary.result is None:
        print("0 frames: this chunk is empty, as there are more chunks than frames or segments")
        return
    reused = f", {summary.frames_kept} of them kept" if summary.frames_kept else ""
    print(f"{summary.frames_done} of {summary.frames_total} frames{reused}, in {in_words(summary.seconds)}")
    print(f"result  {summary.result.folder}")
    if options["movie"] and not options["preview"]:
        print(f"movie   {summary.movie or 'not yet: other frames are unfinished'}")


@click.command("keyframes", short_help="Stylize the key frames.")
@job_argument
@click.option("--list", "only_list", is_flag=True, help="Only print the numbers of the key frames.")
@options_of(Settings)
@frames_option
@device_option
@dtype_option
@progress_options
def keyframes_command(
    job: Path, only_list: bool, settings: dict[str, Any], frames: str, progress: Kind, **options: Any
) -> None:
    """Stylize the key frames of the animation in the job folder JOB.

    With coherence, as by default, other frames are drawn toward key frames. These are the first
    frame, each frame that shows many new surfaces, and each frame for which there is a picture in JOB/keys. Such a
    picture is a PNG file of the frame's size, from any program, and its name is the frame's number.

    `warpnoise stylize` makes missing key frames itself. On a farm, make them before the other frames, so that no two
    machines make the same ones. With --frames, only the key frames that these frames need are stylized. The settings
    are those of `warpnoise stylize`.

    \b
    Examples:
      warpnoise keyframes JOB --list              one number per line; * marks those in JOB/keys
      warpnoise keyframes JOB --coherence steady
    """
    with interruptible() as interrupt, show_progress(progress) as listener:
        from warpnoise.job import Shot, select_frames
        from warpnoise.pipeline import key_frames, stylize

        opened = Shot.open(job, needs=())
        chosen = opened.settings.updated(settings)
        wanted = select_frames(opened.frames, frames)
        plan = key_frames(opened, chosen, wanted, cancelled=interrupt)
        keys = [] if plan is None else [frame for frame in plan.needed(wanted) if frame in plan.keys]
        summary = None
        if keys and not only_list:
            summary = stylize(
                opened, chosen, frames=keys, movie=False, progress=listener, cancelled=interrupt, **options
            )
    painted = {} if plan is None else plan.painted
    if progress == "json":
        write_json("key_frames", {"frames": keys, "painted": sorted(painted)})
        if summary is not None:
            write_json("summary", asdict(summary) | {"result": summary.result and summary.result.name})
    elif only_list:
        print("".join(f"{frame}{' *' if frame in painted else ''}\n" for frame in keys), end="")
    elif summary is None:
        print("nothing to do: there are no key frames, because coherence is off")
    else:
        print(f"{len(keys)} key frames, {summary.frames_kept} of them kept, in {in_words(summary.seconds)}")
