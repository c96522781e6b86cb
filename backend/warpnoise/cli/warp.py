"""``warpnoise warp``: only the noise of a job folder, for other tools."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal

import click
from tqdm import tqdm

from warpnoise.cli.interrupt import interruptible
from warpnoise.cli.shared_options import job_argument


@click.command("warp")
@job_argument
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="The file to write, or with --per-frame the folder; without it, JOB/noise.",
)
@click.option(
    "--format", "kind", type=click.Choice(["npz", "safetensors"]), help="Without it, what the output's name ends in."
)
@click.option("--per-frame", is_flag=True, help="One file a frame, named by its number.")
@click.option("--channels", type=int, default=4, show_default=True, help="4 for Stable Diffusion, 3 for pixels.")
@click.option(
    "--width", type=click.IntRange(min=1), help="Of the noise; without it, from the height, or as the frames."
)
@click.option(
    "--height", type=click.IntRange(min=1), help="Of the noise; without it, from the width, or as the frames."
)
@click.option("--maps", type=int, default=1, show_default=True, help="Independent noises, carried by the same motion.")
@click.option("--seed", type=int, help="Without it, the job's own.")
@click.option("--noise", metavar="NAME", help='"warped", or a baseline; without it, the job\'s own.')
def command(
    job: Path,
    output: Path | None,
    kind: Literal["npz", "safetensors"] | None,
    per_frame: bool,
    channels: int,
    maps: int,
    **chosen: Any,
) -> None:
    """Write the noise of the job folder JOB, carried along its motion, for other tools.

    The array "noise" is float32, N(0, 1), of the shape (frames, channels, height, width), with several maps
    (frames, maps, channels, height, width); "frames" holds the frames' numbers. Only job.json and the passes are
    read.

    \b
    Examples:
      warpnoise warp JOB --output noise.npz                           one noise value a pixel
      warpnoise warp JOB --output noise.safetensors --width 64    the latent grid of 512 x 512 pixels
      warpnoise warp JOB --output noise --per-frame --format npz      noise/0001.npz, noise/0002.npz, ...
    """
    if kind is None:
        kind = "safetensors" if output is not None and output.suffix == ".safetensors" else "npz"
    with interruptible() as interrupt:
        from warpnoise.job import Shot
        from warpnoise.pipeline import WarpOptions, warp

        opened = Shot.open(job, needs=["passes"])
        options = WarpOptions(
            channels=channels,
            height=chosen["height"] or 0,
            width=chosen["width"] or 0,
            maps=maps,
            seed=opened.settings.seed if chosen["seed"] is None else chosen["seed"],
            noise=chosen["noise"] or opened.settings.noise,
            format=kind,
            per_frame=per_frame,
        )
        with tqdm(total=len(opened.frames), unit="frame", leave=False, disable=None, file=sys.stderr) as bar:

            def show(done: int, total: int) -> None:
                bar.update(done - bar.n)

            files = warp(opened, output or job / "noise", options, progress=show, cancelled=interrupt)
    for file in files[:1] if len(files) == 1 else (files[0], files[-1]):
        print(file)
