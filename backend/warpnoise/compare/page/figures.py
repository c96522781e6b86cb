"""Titles of methods and tasks, rounded figures with the best ones marked, and the main findings in sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import neg, pos
from typing import NamedTuple

from markupsafe import Markup

from warpnoise.compare.experiment.compare_options import OURS
from warpnoise.compare.experiment.report import Figure, MethodReport, Report
from warpnoise.noise import METHODS as NOISE


class Words(NamedTuple):
    title: str
    text: str


TASKS = {
    "appearance": Words(
        "Appearance transfer",
        "Each frame is taken part of the way to noise and denoised in the model's style (SDEdit).",
    ),
    "super-resolution": Words(
        "Super-resolution",
        "Each picture of the reference (of the job, where none was given), reduced to a quarter of its width and "
        "height and enlarged again, gets its detail back from the model. It is compared with the picture itself.",
    ),
    "coherence": Words(
        "Coherence beyond noise",
        "Each frame is stylized as in appearance transfer, with warped noise: without any option, with each option "
        "alone, and with all of them. Sharpness and drift are relative to warped noise alone.",
    ),
}

_TITLES = {
    **{name: info.label for name, info in NOISE.items()},
    "plain": "Warped noise alone",
    "pull": "Pull",
    "accumulation": "Accumulation",
    "attention": "Attention",
    "together": "All together",
    "input": "Input",
    "reference": "Reference",
}


def title(method: str) -> str:
    """The title of a method, of the input or of the reference."""
    return _TITLES.get(method, method)


Bests = set[tuple[str, str, int]]
"""(method, figure, lag); lag 0 for figures that have none."""

TIMES = "\N{MULTIPLICATION SIGN}"


class Headline(NamedTuple):
    number: str
    text: str


def figure_text(figure: Figure | None, digits: int = 3, scale: float = 1) -> Markup:
    """The mean, and the spread in small letters. A dash if there is no figure."""
    if figure is None:
        return Markup('<span class="none">&ndash;</span>')
    text = f"{figure.mean * scale:.{digits}f}"
    if figure.spread is None:
        return Markup(text)
    return Markup('{}<span class="spread">±{}</span>').format(text, f"{figure.spread * scale:.{digits}f}")


def find_bests(methods: Mapping[str, MethodReport], white: Sequence[str]) -> Bests:
    """The best of the methods whose noise is white, and those that are not worse beyond the spread.

    Noise that is not white scores by blurring the picture. Where all are as good, none is the best.
    """
    compared = {name: report for name, report in methods.items() if name in white}
    bests: Bests = set()
    for field in ("warp_error", "incoherence"):
        for lag in {lag for report in compared.values() for lag in getattr(report, field)}:
            known = {name: getattr(each, field).get(lag) for name, each in compared.items()}
            bests |= {(name, field, lag) for name in best_of(known, key=pos)}
    for field, key in (("psnr", neg), ("ssim", neg), ("wasserstein", pos)):
        known = {name: getattr(each, field) for name, each in compared.items()}
        bests |= {(name, field, 0) for name in best_of(known, key=key)}
    return bests


def best_of(figures: Mapping[str, Figure | None], key: Callable[[float], float]) -> list[str]:
    """The names of the smallest ``key`` of the mean, and of those that are as good within the larger spread."""
    known = {name: figure for name, figure in figures.items() if figure is not None}
    if not known:
        return []
    best = known[min(known, key=lambda name: key(known[name].mean))]
    good = [
        name
        for name, figure in known.items()
        if key(figure.mean) - key(best.mean) <= max(figure.spread or 0, best.spread or 0)
    ]
    return good if len(good) < max(len(known), 2) else []


def headlines(report: Report) -> list[Headline]:
    """Our method against the others, at the longest lag of up to 8 frames. Empty without our method."""
    if not report.tasks:
        return []
    task = next(iter(report.tasks.values()))
    ours = task.methods.get(OURS)
    lags = [lag for lag in report.lags if lag <= 8 and ours is not None and lag in ours.incoherence]
    if ours is None or not lags:
        return []
    lag, found = max(lags), []
    over = f"over {lag} frame{'s' if lag > 1 else ''}"
    for other in ("random", "chained"):
        theirs = task.methods.get(other)
        if theirs is None or lag not in theirs.incoherence or not theirs.incoherence[lag].mean:
            continue
        ratio = ours.incoherence[lag].mean / theirs.incoherence[lag].mean
        found.append(
            Headline(
                f"{ratio:.2f} {TIMES}",
                f"the texture incoherence of {title(other).lower()} noise {over} "
                f"({ours.incoherence[lag].mean:.3f} against {theirs.incoherence[lag].mean:.3f})",
            )
        )
    if ours.sharpness is not None:
        found.append(Headline(f"{ours.sharpness.mean:.2f} {TIMES}", "the sharpness that random noise gives"))
    noise, longest = report.noise[OURS], max(report.lags)
    if longest in noise.fidelity:
        text = f"fidelity of the noise after {longest} frame{'s' if longest > 1 else ''}; 1 is exact"
        found.append(Headline(f"{noise.fidelity[longest].mean:.2f}", text))
    return found
