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
    options_of,
)
from warpnoise.compare import CompareOptions

if TYPE_CHECKING:  # the comparison brings PyTorch
    from warpnoise.compare.compare import Comparison
from warpnoise.job import Settings


@click.command("compare", short_help="Compare noise methods on a shot.")
@job_argument
@options_of(CompareOptions, "settings", "lags", "device", "dtype", "batch")
@options_of(Settings, "noise", "references")  # here --reference is a folder of the shot, rendered in full
@device_option
@dtype_option
@batch_option
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON when done.")
def compare_command(job: Path, settings: dict[str, Any], chosen: dict[str, Any], as_json: bool, **options: Any) -> None:
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
            from warpnoise.compare.compare import compare, compare_pans
        from warpnoise.job import Shot

        opened = Shot.open(job)
        wanted = CompareOptions(settings=opened.settings.updated(settings), **chosen, **options)
        done = [compare(opened, wanted, progress=listener, cancelled=interrupt)]
        done += compare_pans(opened, wanted, progress=listener, cancelled=interrupt).values()
    if as_json:
        reports = [each.report.to_json() for each in done]
        print(json.dumps(reports if wanted.pans else reports[0], indent=1))
        return
    for each in done:
        if wanted.pans:
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
