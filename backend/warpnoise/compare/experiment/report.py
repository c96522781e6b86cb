"""All figures of a comparison, as means over seeds with their spread, and ``compare.json``."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pydantic_core

from warpnoise import __version__
from warpnoise.compare.experiment.measure import SequenceFigures
from warpnoise.compare.experiment.noise_figures import NoiseFigures
from warpnoise.compare.metrics.covariance import Whiteness


@dataclass(frozen=True)
class Figure:
    """``spread``: the sample standard deviation of ``values``, or None if there is only one."""

    mean: float
    spread: float | None
    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> Figure:
        """Raises ValueError for no values at all."""
        numbers = tuple(values)
        if not numbers:
            raise ValueError("expected at least one value, got none")
        spread = statistics.stdev(numbers) if len(numbers) > 1 and all(map(math.isfinite, numbers)) else None
        return cls(statistics.fmean(numbers), spread, numbers)


REPORT_SCHEMA = 1

ByLag = Mapping[int, Figure]


@dataclass(frozen=True)
class MethodReport:
    """One method on one task, or, of one seed, the input or the reference.

    ``sharpness``: gradient energy over that of random noise with the same seed; None: random was not among the methods.
    ``psnr`` (dB), ``ssim``, ``wasserstein``: distance to the reference; None: there is none.
    ``drift``: of the low band from the baseline's. ``seconds_per_frame``: None: not known, or of no method.
    """

    warp_error: ByLag
    incoherence: ByLag
    sharpness: Figure | None
    psnr: Figure | None
    ssim: Figure | None
    wasserstein: Figure | None
    seconds_per_frame: Figure | None
    drift: Figure | None = None


@dataclass(frozen=True)
class NoiseReport:
    """A method's noise itself."""

    is_white: bool
    variance: Figure
    correlation: Figure
    fidelity: ByLag
    seconds_per_frame: Figure


@dataclass(frozen=True)
class TaskReport:
    """``floor``: "input", and "reference" where there is one. ``settings``: as in job.json, ``seed`` the first one."""

    settings: Mapping[str, Any]
    methods: Mapping[str, MethodReport]
    floor: Mapping[str, MethodReport]


@dataclass(frozen=True)
class Report:
    """``speed_px``: median over frames of the median motion of what is visible, pixels a frame. ``cell_px``: pixels on
    a side of a cell of the model's latents; 1 for models of pixels."""

    job: str
    frames: int
    width: int
    height: int
    fps: float
    speed_px: float
    cell_px: int
    lags: tuple[int, ...]
    seeds: tuple[int, ...]
    model_digest: str
    noise: Mapping[str, NoiseReport]
    tasks: Mapping[str, TaskReport]
    warnings: tuple[str, ...] = field(default=())

    @property
    def lag_cells(self) -> dict[int, float]:
        """How many cells a surface moves over each lag, in the median. Where that is a whole number, noise of any kind
        that is carried is exact."""
        return {lag: lag * self.speed_px / self.cell_px for lag in self.lags}

    def to_json(self) -> dict[str, Any]:
        """The content of ``compare.json``. Lags are its keys as texts, because JSON has no other keys."""
        content = pydantic_core.to_json({**vars(self), "lag_cells": self.lag_cells}, inf_nan_mode="null")
        return {"schema": REPORT_SCHEMA, "generator": f"warpnoise {__version__}", **json.loads(content)}


def report_noise(figures: Sequence[NoiseFigures]) -> NoiseReport:
    """Over seeds."""
    variance = Figure.of(each.whiteness.variance for each in figures)
    correlation = Figure.of(each.whiteness.correlation for each in figures)
    return NoiseReport(
        is_white=Whiteness(variance.mean, correlation.mean).is_white,
        variance=variance,
        correlation=correlation,
        fidelity=_by_lag([each.fidelity for each in figures]),
        seconds_per_frame=Figure.of(each.seconds_per_frame for each in figures),
    )


def report_method(
    figures: Sequence[SequenceFigures],
    random: Sequence[SequenceFigures] | None,
    seconds_per_frame: Iterable[float | None] = (),
) -> MethodReport:
    """Over seeds. ``random``: random noise's figures with the same seeds; for one sequence without a seed, with all."""
    return MethodReport(
        warp_error=_by_lag([each.warp_error for each in figures]),
        incoherence=_by_lag([each.incoherence for each in figures]),
        psnr=_known(each.psnr for each in figures),
        ssim=_known(each.ssim for each in figures),
        wasserstein=_known(each.wasserstein for each in figures),
        drift=_known(each.drift for each in figures),
        sharpness=_sharpness(figures, random),
        seconds_per_frame=_known(seconds_per_frame),
    )


def _sharpness(figures: Sequence[SequenceFigures], random: Sequence[SequenceFigures] | None) -> Figure | None:
    energies = [each.gradient_energy for each in random or ()]
    if not all(energies) or not energies:
        return None
    if len(energies) != len(figures):
        energies = [statistics.fmean(energies)] * len(figures)
    return Figure.of(each.gradient_energy / energy for each, energy in zip(figures, energies, strict=True))


def _by_lag(figures: Sequence[Mapping[int, float]]) -> dict[int, Figure]:
    lags = sorted(set[int].intersection(*(set(each) for each in figures)))
    return {lag: Figure.of(each[lag] for each in figures) for lag in lags}


def _known(values: Iterable[float | None]) -> Figure | None:
    """None if any is."""
    numbers = list(values)
    known = [number for number in numbers if number is not None]
    return Figure.of(known) if known and len(known) == len(numbers) else None
