"""``warpnoise accumulate``: averages finished frames over time where the render shows no change."""

from __future__ import annotations

from pathlib import Path

import click

from warpnoise.cli.display import Kind, show_progress, write_json
from warpnoise.cli.interrupt import interruptible
from warpnoise.cli.shared_options import chosen_frames, frames_option, job_argument, progress_options


@click.command("accumulate", short_help="Average finished frames over time.")
@job_argument
@frames_option
@click.option(
    "--input",
    "source",
    type=click.Path(path_type=Path),
    help="A folder of frames of the shot (0001.png and so on), from any tool.",
)
@click.option(
    "--output", "target", type=click.Path(path_type=Path), help="The folder for the averaged frames of --input."
)
@click.option(
    "--amount",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="How strongly the frames of --input are averaged.",
)
@progress_options
def command(
    job: Path, frames: str | None, source: Path | None, target: Path | None, amount: float, progress: Kind
) -> None:
    """Average the finished frames of the job folder JOB over time, along the exact motion.

    Each frame becomes the mean of itself, the frames around it and its key frames, which are moved to it first. Pixels
    count only where they show the same surface and the light in the render has not changed. The finest detail of the
    frame does not change. The model does not run.

    Without --input, the command averages the frames of the result in use, by the amount in its setting `accumulation`.
    `warpnoise stylize` does this itself when all frames are stylized; on a farm, it is a separate task.

    \b
    Examples:
      warpnoise accumulate JOB
      warpnoise accumulate JOB --input frames --output steady --amount 0.8
    """
    if (source is None) != (target is None):
        raise click.UsageError("use --input and --output together")
    with interruptible() as interrupt, show_progress(progress) as listener:
        from warpnoise.job import Shot
        from warpnoise.pipeline import accumulate_finished, accumulate_folder
        from warpnoise.progress import Progress

        shot = Shot.open(job)
        chosen = chosen_frames(shot.frames, frames) or shot.frames
        now = Progress(stage="accumulating", frames_total=len(chosen))
        listener(now)
        written: Path | None
        if source is not None and target is not None:
            accumulate_folder(shot, source, target, chosen, amount=amount, cancelled=interrupt)
            written = target
        else:
            result = accumulate_finished(shot, chosen, interrupt)
            written = None if result is None else result.folder / "frames"
        listener(now.model_copy(update={"stage": "finished", "frames_done": len(chosen)}))
    if progress == "json":
        write_json("summary", {"frames": written})
    else:
        print(written or "nothing to do: the result does not accumulate (--accumulation)")
