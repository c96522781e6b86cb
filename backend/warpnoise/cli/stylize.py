"""``warpnoise stylize``: stylizes the frames of a job folder."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import click

from warpnoise.cli.display import Kind, in_words, show_progress, write_json
from warpnoise.cli.interrupt import interruptible
from warpnoise.cli.shared_options import (
    chosen_frames,
    device_option,
    dtype_option,
    job_argument,
    memory_options,
    progress_options,
    settings_options,
    subset_options,
)


@click.command("stylize", short_help="Stylize a job folder.")
@job_argument
@settings_options()
@subset_options
@click.option("--preview", is_flag=True, help="Make no movie, and do not change the result in use.")
@device_option
@dtype_option
@memory_options
@click.option(
    "--batch", type=click.IntRange(min=1), help="The number of frames in a batch. Default: depends on the device."
)
@click.option("--movie/--no-movie", default=True, help="Write the movie when all frames are finished. Default: yes.")
@progress_options
def command(
    job: Path,
    settings: dict[str, Any],
    frames: str | None,
    chunk: tuple[int, int] | None,
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
        from warpnoise.job import Shot, chunk_of
        from warpnoise.pipeline import stylize, whole_segments
        from warpnoise.sdedit import load_model
        from warpnoise.sdedit.memory_plan import MemoryOptions

        opened = Shot.open(job, needs=())
        chosen = opened.settings.updated(settings)
        subset = chosen_frames(opened.frames, frames)
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
