"""``warpnoise keyframes``: lists or stylizes the key frames of a shot."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from warpnoise.cli.display import Kind, in_words, show_progress, write_json
from warpnoise.cli.interrupt import interruptible
from warpnoise.cli.shared_options import (
    chosen_frames,
    device_option,
    dtype_option,
    frames_option,
    job_argument,
    progress_options,
    settings_options,
)


@click.command("keyframes", short_help="Stylize the key frames.")
@job_argument
@click.option("--list", "only_list", is_flag=True, help="Only print the numbers of the key frames.")
@settings_options()
@frames_option
@device_option
@dtype_option
@progress_options
def command(
    job: Path, only_list: bool, settings: dict[str, Any], frames: str | None, progress: Kind, **options: Any
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
        from warpnoise.job import Shot
        from warpnoise.pipeline import key_frames, stylize

        opened = Shot.open(job, needs=())
        chosen = opened.settings.updated(settings)
        wanted = chosen_frames(opened.frames, frames) or opened.frames
        plan = key_frames(opened, chosen, wanted, cancelled=interrupt)
        keys = [] if plan is None else [frame for frame in plan.needed(wanted) if frame in plan.keys]
        summary = None
        if keys and not only_list:
            summary = stylize(
                opened,
                chosen,
                frames=keys,
                movie=False,
                progress=listener,
                cancelled=interrupt,
                **options,
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
