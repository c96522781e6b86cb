"""``warpnoise warp``: writes only the noise of a job folder, for other tools."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from warpnoise.cli.interrupt import interruptible
from warpnoise.cli.shared_options import frames_option, job_argument

if TYPE_CHECKING:
    from warpnoise.media.array_file import Format


@click.command("warp", short_help="Write only the noise, for other tools.")
@job_argument
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="The output file, or the output folder with --per-frame or EXR. Default: JOB/noise.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["npz", "npy", "safetensors", "exr"]),
    help="The file format. exr writes a folder of pictures. Default: that of the output's name, or else npz.",
)
@click.option(
    "--layout",
    type=click.Choice(["planes", "last", "patches", "tokens"]),
    default="planes",
    show_default=True,
    help="The order of a frame's values: channels first, channels last, or blocks of 2 x 2 as channels or as tokens.",
)
@frames_option
@click.option("--per-frame", is_flag=True, help="Write a file for each frame, named by its number.")
@click.option(
    "--channels",
    type=int,
    default=4,
    show_default=True,
    help="The number of channels: 4 for Stable Diffusion, 3 for pixels.",
)
@click.option(
    "--width",
    type=click.IntRange(min=1),
    help="The width of the noise. Default: in proportion to the height, or the width of the frames.",
)
@click.option(
    "--height",
    type=click.IntRange(min=1),
    help="The height of the noise. Default: in proportion to the width, or the height of the frames.",
)
@click.option("--maps", type=int, default=1, show_default=True, help="The number of independent noise maps.")
@click.option("--seed", type=int, help="Determines the noise. Default: the job's.")
@click.option(
    "--noise", metavar="NAME", help="The noise method, as for `warpnoise stylize --noise`. Default: the job's."
)
def warp_command(job: Path, output: Path | None, kind: Format | None, frames: str, **options: Any) -> None:
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
    if kind is None:
        suffix = "" if output is None else output.suffix
        if suffix == ".exr":
            raise click.UsageError(
                f"--output {output}: EXR pictures are written to a folder: name one, and use --format exr"
            )
        kind = "safetensors" if suffix == ".safetensors" else "npy" if suffix == ".npy" else "npz"
    with interruptible() as interrupt:
        from warpnoise.job import Shot, select_frames
        from warpnoise.pipeline import WarpOptions, warp

        opened = Shot.open(job, needs=["passes"])
        own: dict[str, Any] = {"seed": opened.settings.seed, "noise": opened.settings.noise}
        own |= {name: value for name, value in options.items() if value is not None}
        chosen = WarpOptions(format=kind, **own)
        wanted = select_frames(opened.frames, frames)
        with tqdm(total=len(wanted), unit="frame", leave=False, disable=None, file=sys.stderr) as bar:

            def show(done: int, total: int) -> None:
                bar.update(done - bar.n)

            files = warp(opened, output or job / "noise", chosen, frames=wanted, progress=show, cancelled=interrupt)
    for file in files[:1] if len(files) == 1 else (files[0], files[-1]):
        print(file)
