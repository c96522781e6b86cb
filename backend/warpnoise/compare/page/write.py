"""Writes the page from figures and frames: collects the data that the template shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from warpnoise import __version__
from warpnoise.compare.experiment.compare_options import OURS, TOGETHER
from warpnoise.compare.experiment.matrices import CHANNELS, PATCH_PX, estimate, find_patch
from warpnoise.compare.experiment.method_run import Meter, Run
from warpnoise.compare.experiment.report import Report
from warpnoise.compare.experiment.shot_motion import ShotMotion
from warpnoise.compare.experiment.tasks import Task
from warpnoise.compare.page import data_urls
from warpnoise.compare.page.charts import Line, line_chart
from warpnoise.compare.page.figures import TASKS, Bests, best_of, figure_text, find_bests, headlines
from warpnoise.compare.page.figures import title as title_of
from warpnoise.errors import JobError
from warpnoise.media.atomic import write_bytes
from warpnoise.noise import METHODS as NOISE_METHODS

RunOf = Callable[[Task, str, int], Run]


def write_page(
    path: Path,
    report: Report,
    shot: ShotMotion,
    tasks: Sequence[Task],
    run: RunOf,
    meter: Meter,
    cancelled: Callable[[], bool] | None = None,
) -> None:
    """Writes the page; pictures and movies are those of the first seed.

    Raises:
        JobError: the file cannot be written.
        MediaError: a picture cannot be read, or a movie cannot be made.
        Cancelled: ``cancelled()`` was true.
    """
    folder = path.parent
    meter.begin("page", len(tasks) + len(report.noise))
    noises = _noises(report, shot, folder, meter, cancelled)
    shown = []
    for index, task in enumerate(tasks, start=1):
        shown.append(_task(task, report, shot, run, folder, cancelled))
        meter.at(task.name, len(report.noise) + index)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("warpnoise.compare.page", package_path="."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["figure"] = figure_text
    html = environment.get_template("page.html.j2").render(
        version=__version__,
        report=report,
        headlines=headlines(report),
        tasks=shown,
        noises=noises,
        noise_bests=_noise_bests(report),
        title=title_of,
        methods=NOISE_METHODS,
        ours=OURS,
    )
    write_bytes(path, html.encode(), error=JobError)


def _task(
    task: Task,
    report: Report,
    shot: ShotMotion,
    run: RunOf,
    folder: Path,
    cancelled: Callable[[], bool] | None,
) -> dict[str, Any]:
    """All that the page shows of one task."""
    figures = report.tasks[task.name]
    frames = shot.job.frames
    sequences: dict[str, Callable[[int], Path]] = {"input": task.color}
    if task.reference is not None:
        sequences["reference"] = task.reference
    sequences |= {method: run(task, method, report.seeds[0]).result.frame for method in figures.methods}
    movie = folder / f".{task.name}-wall.mp4"
    wall = data_urls.make_wall(list(sequences.values()), frames, shot.job.scene.rate, movie, cancelled)
    bests = find_bests(figures.methods, [method for method, noise in report.noise.items() if noise.is_white])
    return {
        "name": task.name,
        "words": TASKS[task.name],
        "figures": figures,
        "bests": bests,
        "has_reference": task.reference is not None,
        "wall": wall,
        "player": {"columns": wall.columns, "tile": wall.tile, "order": [frames[i] for i in wall.order]},
        "sequences": list(sequences),
        "slices": {name: data_urls.make_slice(where, frames, shot.row) for name, where in sequences.items()},
        "warp_chart": _chart("Warp error over the lag", figures, report, "warp_error", scale=1000),
        "incoherence_chart": _chart("Texture incoherence over the lag", figures, report, "incoherence"),
    }


def _chart(title: str, figures: Any, report: Report, field: str, scale: float = 1) -> Any:
    lines = [
        Line(title_of(method), _kind(method, report), getattr(each, field)) for method, each in figures.methods.items()
    ]
    lines += [Line(title_of(name), "floor", getattr(each, field)) for name, each in figures.floor.items()]
    return line_chart(title, lines, report.lags, scale=scale)


def _kind(method: str, report: Report) -> str:
    if method in (OURS, TOGETHER):
        return "ours"
    if method not in report.noise:
        return "white"
    return "white" if report.noise[method].is_white else "coloured"


def _noises(
    report: Report, shot: ShotMotion, folder: Path, meter: Meter, cancelled: Callable[[], bool] | None
) -> dict[str, Any]:
    patch = find_patch(shot)
    cards = []
    for index, method in enumerate(report.noise, start=1):
        place = folder / "noise" / method / f"seed{report.seeds[0]}"
        card: dict[str, Any] = {"method": method, "matrices": None}
        for name in ("crop", "slice"):
            card[name] = data_urls.data_uri((place / f"{name}.png").read_bytes(), "image/png")
        if patch is not None:
            found = estimate(shot, patch, method, report.seeds[0], place / "covariance.json", cancelled)
            card["matrices"] = {name: data_urls.matrix_uri(matrix) for name, matrix in vars(found).items()}
        cards.append(card)
        meter.at(f"noise of {method}", index, made=index)
    lines = [Line(title_of(name), _kind(name, report), noise.fidelity) for name, noise in report.noise.items()]
    return {
        "cards": cards,
        "chart": line_chart("Fidelity over the lag", lines, report.lags),
        "lag": patch.lag if patch else None,
        "patch": PATCH_PX,
        "channels": CHANNELS,
        "exact": patch
        and {"own": data_urls.matrix_uri(np.eye(PATCH_PX**2)), "across": data_urls.matrix_uri(patch.exact)},
    }


def _noise_bests(report: Report) -> Bests:
    white = {name: noise for name, noise in report.noise.items() if noise.is_white}
    return {
        (name, "fidelity", lag)
        for lag in report.lags
        for name in best_of(
            {each: noise.fidelity.get(lag) for each, noise in white.items()}, key=lambda mean: abs(mean - 1)
        )
    }
