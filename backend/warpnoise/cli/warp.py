"""``warpnoise warp``: writes only the noise of a job folder, for other tools."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from warpnoise.cli.interrupt import interruptible
from warpnoise.cli.shared_options import frames_option, job_argument, options_of
from warpnoise.job.warp_options import WarpOptions


@click.command("warp", short_help="Write only the noise, for other tools.")
@job_argument
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="The output file, or the output folder with --per-frame or EXR. Default: JOB/noise.",
)
@options_of(WarpOptions)
@frames_option
def warp_command(job: Path, output: Path | None, chosen: dict[str, Any], frames: str) -> None:
    """Write noise that moves with the animation in the job folder JOB, for other tools.

    An .npz or .safetensors file has two arrays. "noise" is float32, N(0, 1), with the shape (frames, channels, height,
    width), or with several maps (frames, maps, channels, height, width). "frames" has the numbers of the frames. An
    .npy file has only the noise. EXR pictures have the channels R, G, B and A, or noise.00, noise.01, ... if there are
    more than four. The command reads only job.json and the passes. docs/other-tools.md lists the layout that each
    model needs.

    \b
    Examples:
      warpnoise warp JOB --output noise.npz                           one noise value for each pixel
      warpnoise warp JOB --output noise.safetensors --width 64    the latent grid of 512 x 512 pixels
      warpnoise warp JOB --output noise --per-frame --format npz      noise/0001.npz, noise/0002.npz, ...
      warpnoise warp JOB --output noise --format exr --channels 3     noise/0001.exr, ..., for compositing programs
      warpnoise warp JOB --output noises.npy --layout last --channels 16 --width 90   for Go-with-the-Flow
    """
    suffix = "" if output is None else output.suffix
    if "format" not in chosen and suffix == ".exr":
        raise click.UsageError(
            f"--output {output}: EXR pictures are written to a folder: name one, and use --format exr"
        )
    if suffix in (".npy", ".safetensors"):
        chosen = {"format": suffix[1:], **chosen}
    with interruptible() as interrupt:
        from warpnoise.job import Shot, select_frames
        from warpnoise.pipeline import warp

        opened = Shot.open(job, needs=["passes"])
        options = WarpOptions(**{"seed": opened.settings.seed, "noise": opened.settings.noise, **chosen})
        wanted = select_frames(opened.frames, frames)
        with tqdm(total=len(wanted), unit="frame", leave=False, disable=None, file=sys.stderr) as bar:

            def show(done: int, total: int) -> None:
                bar.update(done - bar.n)

            files = warp(opened, output or job / "noise", options, frames=wanted, progress=show, cancelled=interrupt)
    for file in files[:1] if len(files) == 1 else (files[0], files[-1]):
        print(file)
