"""Runs a whole comparison: every method and seed on every task, then the report and the page."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from warpnoise.compare.experiment.compare_options import CompareOptions
from warpnoise.compare.experiment.measure import SequenceFigures, measure
from warpnoise.compare.experiment.method_run import Meter, Run
from warpnoise.compare.experiment.noise_figures import NoiseFigures, measure_noise
from warpnoise.compare.experiment.pan import make_pan
from warpnoise.compare.experiment.report import NoiseReport, Report, TaskReport, report_method, report_noise
from warpnoise.compare.experiment.shot_motion import ShotMotion
from warpnoise.compare.experiment.tasks import OFF, Task, make_tasks, open_reference, prepare_input
from warpnoise.compare.page.write import write_page
from warpnoise.errors import JobError
from warpnoise.job import Shot
from warpnoise.job.locks import locked
from warpnoise.media.atomic import write_bytes
from warpnoise.pipeline.made_of import effective
from warpnoise.progress import Progress
from warpnoise.sdedit import ModelFolder, load_model
from warpnoise.sdedit.check import check_settings, unused_settings
from warpnoise.sdedit.editor import Editor

Load = Callable[..., Editor]


@dataclass(frozen=True)
class Comparison:
    """The outcome of a comparison: the figures and the two files."""

    report: Report
    page: Path
    figures: Path


def compare(
    job: Shot,
    options: CompareOptions | None = None,
    *,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    load: Load = load_model,
) -> Comparison:
    """Compare noise methods on one job.

    Everything is written to ``options.output`` (JOB/compare); the job itself is only read. Finished work with the same
    inputs and settings is kept, so the same call continues where an earlier one stopped.

    Args:
        job: an opened job folder.
        progress: called in this thread, at least after every denoising step.
        cancelled: called before every denoising step and before every frame that is measured.
        load: loads the model. It is called once, and only if there is something to make.

    Raises:
        SettingsError: an option is out of range, or the model does not have a setting.
        JobError: the job has only one frame, nothing moves, frames are missing, or a folder cannot be written.
        JobLockedError: another comparison writes to the same folder.
        ModelError, MediaError: see their messages.
        Cancelled: ``cancelled()`` was true.
    """
    options = options or CompareOptions()
    chosen = options.settings or job.settings
    model = ModelFolder.open(chosen.model)
    warnings = check_settings(model, chosen, (job.scene.width, job.scene.height))
    settings = effective(chosen, model)
    folder = options.output or job.path / "compare"
    reference = None if options.reference is None else open_reference(options.reference, job)
    with _lock(folder):
        meter = Meter(progress)
        meter.warn(*warnings)
        meter.begin("reading", len(job.frames))
        shot = ShotMotion(job, options.lags, meter.warn)
        seeds = tuple(range(settings.seed, settings.seed + options.seeds))
        work = _Work(job, options, folder, shot, seeds, meter, cancelled, functools.cache(load))
        tasks = make_tasks(job, options, settings, folder, reference, "attention" not in unused_settings(model))
        noise = work.noise()
        work.stylize(tasks)
        report = Report(
            job=job.scene.name,
            frames=len(job.frames),
            width=job.scene.width,
            height=job.scene.height,
            fps=float(job.scene.rate),
            speed_px=shot.speed_px,
            cell_px=model.vae_factor,
            lags=shot.lags,
            seeds=seeds,
            model_digest=model.digest,
            noise=noise,
            tasks=work.measure(tasks),
            warnings=meter.now.warnings,
        )
        figures = folder / "compare.json"
        write_bytes(figures, (json.dumps(report.to_json(), indent=1) + "\n").encode(), error=JobError)
        page = folder / "compare.html"
        write_page(page, report, shot, tasks, work.run, meter, cancelled)
        meter.begin("finished", 0)
    return Comparison(report, page, figures)


def compare_pans(
    job: Shot,
    options: CompareOptions,
    *,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    load: Load = load_model,
) -> dict[int, Comparison]:
    """Compare on pans over the job's first frame, one after another.

    The page and the figures of each pan are in ``pan-N`` of the output folder. If the frame is wide enough, a pan is as
    long as the longest lag requires.

    Returns:
        for each of ``options.pans``, in pixels a frame, its comparison.

    Raises:
        the errors of `compare`, and JobError if the frames are too narrow for a pan.
    """
    settings = options.settings or job.settings
    folder = options.output or job.path / "compare"
    load = functools.cache(load)
    made = {}
    for pixels in options.pans:
        place = folder / f"pan-{pixels}"
        pan = make_pan(job, place / "job", pixels, max(options.lags) + 1, settings)
        own = options.model_copy(update={"output": place, "reference": None, "settings": settings})
        made[pixels] = compare(pan, own, progress=progress, cancelled=cancelled, load=load)
    return made


@dataclass(frozen=True)
class _Work:
    """What all stages share."""

    job: Shot
    options: CompareOptions
    folder: Path
    shot: ShotMotion
    seeds: tuple[int, ...]
    meter: Meter
    cancelled: Callable[[], bool] | None
    load: Load

    def run(self, task: Task, method: str, seed: int) -> Run:
        return Run(self.job, self.folder / task.name / method / f"seed{seed}", task.color)

    def noise(self) -> dict[str, NoiseReport]:
        frames, methods = len(self.job.frames), self.options.methods
        self.meter.begin("noise", len(methods) * len(self.seeds) * frames)
        figures: dict[str, list[NoiseFigures]] = {method: [] for method in methods}
        for seed, method in itertools.product(self.seeds, methods):
            self.meter.sequence(f"{method}, seed {seed}", frames)
            place = self.folder / "noise" / method / f"seed{seed}"
            figures[method].append(measure_noise(self.shot, method, seed, place, self.cancelled))
        return {method: report_noise(each) for method, each in figures.items()}

    def stylize(self, tasks: list[Task]) -> None:
        frames = len(self.job.frames)
        self.meter.begin("stylizing", sum(len(task.methods) for task in tasks) * len(self.seeds) * frames)
        done = made = reused = 0

        def listen(now: Progress) -> None:
            nonlocal reused
            reused = now.frames_kept
            self.meter.warn(*now.warnings)
            self.meter.at(what, done + now.frames_done, made=made + now.frames_done - reused)

        for task in tasks:
            prepare_input(self.job, task, self.cancelled)
            for seed, (method, own) in itertools.product(self.seeds, task.methods.items()):
                what = f"{task.name}, {method}, seed {seed}"
                self.run(task, method, seed).make(
                    task.settings.updated({**own, "seed": seed}),
                    listen,
                    device=self.options.device,
                    dtype=self.options.dtype,
                    batch=self.options.batch,
                    cancelled=self.cancelled,
                    load=self.load,
                )
                done, made = done + frames, made + frames - reused

    def measure(self, tasks: list[Task]) -> dict[str, TaskReport]:
        runs = sum(len(task.methods) * len(self.seeds) + 1 + (task.reference is not None) for task in tasks)
        self.meter.begin("measuring", runs * len(self.job.frames))
        return {task.name: self._measure_task(task) for task in tasks}

    def _measure_task(self, task: Task) -> TaskReport:
        frames = len(self.job.frames)
        runs = {method: [self.run(task, method, seed) for seed in self.seeds] for method in task.methods}
        plain: list[Callable[[int], Path] | None] = [run.result.frame for run in runs.get(task.baseline, ())]
        baselines = plain or [None] * len(self.seeds)
        figures: dict[str, list[SequenceFigures]] = {}
        for method, own in runs.items():
            figures[method] = []
            for seed, run, baseline in zip(self.seeds, own, baselines, strict=True):
                self.meter.sequence(f"{task.name}, {method}, seed {seed}", frames)
                place = run.result.folder / "figures.json"
                found = measure(self.shot, run.result.frame, task.reference, place, self.cancelled, baseline)
                figures[method].append(found)
        random = figures.get(task.baseline)
        floor = {}
        for name, pictures in (("input", task.color), ("reference", task.reference)):
            if pictures is not None:
                self.meter.sequence(f"{task.name}, {name}", frames)
                place = self.folder / task.name / f"{name}-figures.json"
                compared = task.reference if name == "input" else None
                floor[name] = report_method([measure(self.shot, pictures, compared, place, self.cancelled)], random)
        methods = {
            method: report_method(figures[method], random, [run.seconds_per_frame() for run in own])
            for method, own in runs.items()
        }
        return TaskReport(task.settings.model_dump(exclude={"noise", *OFF}), methods, floor)


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as refusal:
        raise JobError(f"Cannot write to {folder}: {refusal}. Choose another folder with --output.") from refusal
    busy = f"Another comparison writes to {folder}. Wait until it is done, or give another folder (--output)."
    with locked(folder, busy=busy):
        yield
