"""``warpnoise accumulate`` and ``warpnoise movie``: the last steps, for the finished frames of a result."""

from __future__ import annotations

from pathlib import Path

import click

from warpnoise.cli.display import Kind, show_progress, write_json
from warpnoise.cli.interrupt import interruptible
from warpnoise.cli.shared_options import frames_option, job_argument, progress_options
from warpnoise.errors import JobError


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
def accumulate_command(
    job: Path, frames: str, source: Path | None, target: Path | None, amount: float, progress: Kind
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
        from warpnoise.job import Shot, select_frames
        from warpnoise.pipeline import accumulate_finished, accumulate_folder
        from warpnoise.progress import Progress

        shot = Shot.open(job)
        chosen = select_frames(shot.frames, frames)
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


@click.command("movie", short_help="Write the movie of a result.")
@job_argument
@click.option("--result", metavar="NAME", help="A folder of JOB/results. Default: the result in use.")
@progress_options
def movie_command(job: Path, result: str | None, progress: Kind) -> None:
    """Write the movie of a result of the job folder JOB.

    All frames of the shot must be finished, or an error names those that are not. `warpnoise stylize` writes the movie
    itself, unless you use --no-movie.

    \b
    Examples:
      warpnoise movie JOB
      warpnoise movie JOB --result ink-3f9a21c0
    """
    with interruptible() as interrupt, show_progress(progress) as listener:
        from warpnoise.job import Shot
        from warpnoise.pipeline import write_finished_movie
        from warpnoise.progress import Progress

        shot = Shot.open(job)
        chosen = shot.current() if result is None else shot.result(result)
        if chosen is None:
            raise JobError(f"{job} has no result. Stylize it first.")
        now = Progress(frames_total=len(shot.frames), result=chosen.name)
        listener(now)
        movie = write_finished_movie(
            shot, chosen, lambda: listener(now.model_copy(update={"stage": "encoding"})), interrupt
        )
        listener(now.model_copy(update={"stage": "finished", "frames_done": now.frames_total}))
    if progress == "json":
        write_json("summary", {"result": chosen.name, "movie": movie})
    else:
        print(movie)
