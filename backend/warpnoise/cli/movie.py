"""``warpnoise movie``: writes the movie of a result whose frames are finished."""

from __future__ import annotations

from pathlib import Path

import click

from warpnoise.cli.display import Kind, show_progress, write_json
from warpnoise.cli.interrupt import interruptible
from warpnoise.cli.shared_options import job_argument, progress_options


@click.command("movie", short_help="Write the movie of a result.")
@job_argument
@click.option("--result", metavar="NAME", help="A folder of JOB/results. Default: the result in use.")
@progress_options
def command(job: Path, result: str | None, progress: Kind) -> None:
    """Write the movie of a result of the job folder JOB.

    All frames of the shot must be finished, or an error names those that are not. `warpnoise stylize` writes the movie
    itself, unless you use --no-movie.

    \b
    Examples:
      warpnoise movie JOB
      warpnoise movie JOB --result ink-3f9a21c0
    """
    with interruptible() as interrupt, show_progress(progress) as listener:
        from warpnoise.errors import JobError
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
