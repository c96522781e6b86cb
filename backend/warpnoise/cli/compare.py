"""``warpnoise compare``: compares every noise method on one job."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from warpnoise.cli.display import show_progress
from warpnoise.cli.interrupt import interruptible
from warpnoise.cli.shared_options import (
    batch_option,
    device_option,
    dtype_option,
    job_argument,
    needs_extra,
    settings_options,
)

if TYPE_CHECKING:  # the comparison brings PyTorch
    from warpnoise.compare.compare import Comparison


def _numbers(context: click.Context, parameter: click.Parameter, value: str) -> tuple[int, ...]:
    try:
        return tuple(int(number) for number in value.split(",") if number.strip())
    except ValueError:
        raise click.BadParameter(f"expected whole numbers with commas between them, got {value!r}") from None


def _names(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(name.strip() for name in value.split(",") if name.strip())


@click.command("compare", short_help="Compare noise methods on a shot.")
@job_argument
@click.option(
    "--methods",
    metavar="NAME,...",
    callback=_names,
    help="The noise methods to compare. `warped` is that of Warpnoise. Default: all.",
)
@click.option(
    "--tasks",
    metavar="NAME,...",
    callback=_names,
    help="The tasks: appearance, super-resolution, coherence. Default: the first two.",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="The number of seeds, which are counted from --seed.",
)
@click.option(
    "--reference",
    type=click.Path(path_type=Path),
    help="A folder of PNG files of the same shot (0001.png and so on), such as a path-traced, textured render. "
    "Super-resolution restores these.",
)
@click.option(
    "--pans",
    metavar="PX,...",
    default="",
    callback=_numbers,
    help="Also compare the methods on pans over the first frame, by these numbers of pixels a frame. With a latent "
    "model, the page also gives each lag in cells of the latents.",
)
@click.option("--output", type=click.Path(path_type=Path), help="The output folder. Default: JOB/compare.")
@click.option(
    "--restoration-strength",
    type=float,
    default=0.3,
    show_default=True,
    help="The strength of SDEdit in super-resolution.",
)
@settings_options("noise", "references")  # here --reference is a folder of the shot, rendered in full
@device_option
@dtype_option
@batch_option
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON when done.")
def compare_command(job: Path, settings: dict[str, Any], as_json: bool, **options: Any) -> None:
    """Compare noise methods on the animation in the job folder JOB.

    For each method and seed, the command runs two tasks. Appearance stylizes all frames, and super-resolution restores
    them from a quarter of their width and height. The page JOB/compare/compare.html then shows figures, videos and the
    noise; it needs no other files. compare.json has the same figures. JOB/results does not change. If the command is
    interrupted, run it again, and it continues where it stopped.

    \b
    Examples:
      warpnoise compare JOB
      warpnoise compare JOB --methods random,fixed,chained,warped --tasks appearance
      warpnoise compare JOB --strength 0.6 --reference renders --output comparison
      warpnoise compare JOB --tasks coherence       warped noise with and without the coherence settings
      warpnoise compare JOB --pans 1,2,4,8
    """
    with interruptible() as interrupt, show_progress() as listener:
        with needs_extra("compare"):
            from warpnoise.compare import CompareOptions
            from warpnoise.compare.compare import compare, compare_pans
        from warpnoise.job import Shot

        opened = Shot.open(job)
        chosen = CompareOptions(
            settings=opened.settings.updated(settings),
            **{name: value for name, value in options.items() if value is not None},
        )
        done = [compare(opened, chosen, progress=listener, cancelled=interrupt)]
        done += compare_pans(opened, chosen, progress=listener, cancelled=interrupt).values()
    if as_json:
        reports = [each.report.to_json() for each in done]
        print(json.dumps(reports if chosen.pans else reports[0], indent=1))
        return
    for each in done:
        if chosen.pans:
            print(each.report.job)
        print("\n".join(_summary(each)))
        print(f"page     {each.page}")
        print(f"figures  {each.figures}")


def _summary(done: Comparison) -> Iterator[str]:
    """A small table for each task, with the main figures."""
    report = done.report
    for name, task in report.tasks.items():
        lags = report.lags
        yield f"{name}, {len(report.seeds)} seed{'s' if len(report.seeds) > 1 else ''}"
        incoherence = "".join(f"{f'lag {lag}':>9}" for lag in lags)
        yield f"{'texture incoherence':<22}{incoherence}{'sharpness':>11}"
        if report.cell_px > 1:
            yield f"{'motion in cells':<22}" + "".join(f"{report.lag_cells[lag]:>9.2f}" for lag in lags)
        for method, row in [*task.methods.items(), *task.floor.items()]:
            values = "".join(
                f"{row.incoherence[lag].mean:>9.3f}" if lag in row.incoherence else " " * 9 for lag in lags
            )
            sharpness = f"{row.sharpness.mean:>11.2f}" if row.sharpness else ""
            white = method not in report.noise or report.noise[method].is_white
            yield f"{method:<22}{values}{sharpness}{'' if white else '  not white'}"
        yield ""
