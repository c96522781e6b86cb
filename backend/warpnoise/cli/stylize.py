"""``warpnoise stylize``: a job folder from its passes to its stylized frames."""

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
    named_settings,
    progress_options,
    settings_options,
    subset_options,
)


@click.command("stylize")
@job_argument
@settings_options()
@subset_options
@click.option("--preview", is_flag=True, help="Stylize frames to look at: make no movie, and keep the current result.")
@device_option
@dtype_option
@memory_options
@click.option("--batch", type=click.IntRange(min=1), help="Frames in a batch. Default: what suits the device.")
@click.option("--movie/--no-movie", default=True, help="Write the movie once all frames are finished. Default: yes.")
@progress_options
def command(
    job: Path,
    frames: str | None,
    chunk: tuple[int, int] | None,
    preview: bool,
    device: str | None,
    dtype: str | None,
    offload: Any,
    quantize: Any,
    tiling: Any,
    batch: int | None,
    movie: bool,
    progress: Kind,
    **settings: Any,
) -> None:
    """Stylize the animation in the job folder JOB.

    Settings that you leave out come from JOB/job.json. Each set of settings has its own result folder
    in JOB/results: frames/, movie.mp4 and settings.json. JOB/current.json names the result in use. An interrupted run
    continues where it stopped: frames that were finished with the same inputs are kept. Ctrl-C stops within a
    denoising step.

    --frames and --chunk stylize some of the frames, bit-identical to those of a full run: the noise still passes
    through all earlier frames. Several processes and machines may work on different chunks of one shot. The process
    that finishes the last frame writes the movie. With --coherence, a chunk consists of whole segments (a key frame
    and the frames up to the next), and missing key frames are stylized, too.

    \b
    Examples:
      warpnoise stylize JOB
      warpnoise stylize JOB --strength 0.6 --seed 3
      warpnoise stylize JOB --model ~/models/stable-diffusion-v1-5 --prompt "an ink drawing"
      warpnoise stylize JOB --frames 12 --preview     one frame, with its noise in the shot
      warpnoise stylize JOB --noise random            see the flicker without warped noise
      warpnoise stylize JOB --chunk 3/10              the third of ten equal parts, on one machine of a farm
      warpnoise stylize JOB --frames 1-9:2,20 --no-movie      some frames; then: warpnoise movie JOB
    """
    with interruptible() as interrupt, show_progress(progress) as listener:
        from warpnoise.job import Shot, chunk_of
        from warpnoise.pipeline import stylize, whole_segments
        from warpnoise.sdedit import load_model
        from warpnoise.sdedit.memory_plan import MemoryOptions

        opened = Shot.open(job, needs=())
        chosen = opened.settings.updated(named_settings(settings))
        subset = chosen_frames(opened.frames, frames, None)
        if chunk is not None:
            subset = [frame for part in chunk_of(whole_segments(opened, chosen, subset), *chunk) for frame in part]
        summary = stylize(
            opened,
            chosen,
            frames=subset,
            preview=preview,
            device=device,
            dtype=dtype,
            load=partial(load_model, memory=MemoryOptions(offload, quantize, tiling)),
            batch=batch,
            movie=movie,
            progress=listener,
            cancelled=interrupt,
        )
    if progress == "json":
        write_json("summary", asdict(summary) | {"result": summary.result and summary.result.name})
        return
    if summary.result is None:
        print("0 frames: there are more chunks than frames, and this one is empty")
        return
    kept = f", {summary.frames_kept} of them kept" if summary.frames_kept else ""
    print(f"{summary.frames_done} of {summary.frames_total} frames{kept}, in {in_words(summary.seconds)}")
    print(f"result  {summary.result.folder}")
    if movie and not preview:
        print(f"movie   {summary.movie or 'not yet: other frames are unfinished'}")
