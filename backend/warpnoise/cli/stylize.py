"""``warpnoise stylize``: a job folder from its passes to its stylized frames."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from warpnoise.cli.interrupt import interruptible
from warpnoise.cli.options import device_option, given, job_argument, settings_options
from warpnoise.cli.progress import in_words, show_progress, write_json


@click.command("stylize")
@job_argument
@settings_options
@device_option
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float16", "bfloat16"]),
    help="The model's precision; without it, half on GPUs and float32 on the CPU.",
)
@click.option("--batch", type=click.IntRange(min=1), help="Frames at a time; without it, what suits the device.")
@click.option("--json", "as_json", is_flag=True, help="Progress, summary and errors as lines of JSON.")
def command(
    job: Path, device: str | None, dtype: str | None, batch: int | None, as_json: bool, **settings: Any
) -> None:
    """Stylize the animation in the job folder JOB.

    Settings that are not given are those of JOB/job.json. The frames come to JOB/stylized, the movie to
    JOB/stylized.mp4. Frames that are finished with the same inputs and settings are kept, so an interrupted run
    goes on where it was. Ctrl-C stops within a denoising step.

    \b
    Examples:
      warpnoise stylize JOB
      warpnoise stylize JOB --strength 0.6 --seed 3
      warpnoise stylize JOB --model ~/models/stable-diffusion-v1-5 --prompt "an ink drawing"
      warpnoise stylize JOB --noise random            how it flickers without the warped noise
    """
    with interruptible() as interrupt, show_progress(as_json) as listener:
        from warpnoise.job import Job
        from warpnoise.pipeline import stylize

        opened = Job.open(job)
        chosen = opened.settings.updated(given(settings))
        summary = stylize(
            opened, chosen, device=device, dtype=dtype, batch=batch, progress=listener, cancelled=interrupt
        )
    if as_json:
        write_json("summary", asdict(summary))
        return
    kept = f", {summary.frames_kept} of them kept" if summary.frames_kept else ""
    print(f"{summary.frames_done} of {summary.frames_total} frames{kept}, in {in_words(summary.seconds)}")
    print(f"frames  {opened.stylized(opened.frames[0]).parent}")
    print(f"movie   {summary.movie}")
