"""What coherence.py measured, against its goals, as Markdown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

PLAIN, DEFAULT = "plain", "balanced"
TITLE = "## Coherence beyond noise"
INTRODUCTION = f"""\
{TITLE}

These figures compare *Coherence* ([how it works](coherence.md)) with warped noise alone. Each one is
the ratio of two runs that differ only in this setting, and the mean over the seeds. *Warp error* and
*texture incoherence* are defined above. *Gradients* is the ratio of gradient energy. *Drift* is the
root mean square difference between the low bands (a Gaussian of 3 px) of the two runs, in units of
1/255.

```
python -m training.shots shots
python benchmarks/coherence.py shots shots/* --output ink
python benchmarks/coherence.py shots shots/* --output styles --styles photoreal,oil,watercolour
python benchmarks/coherence.py shots shots/orbit --output ink --options plain,steady,lively,pull=0.5 --seeds 0
python benchmarks/coherence.py light --output ink --styles ink,photoreal
python benchmarks/coherence.py time ink/silhouette --output time --frames 6
M=tests/data/latent-model
python benchmarks/coherence.py shots shots/* --output latent --model $M
python benchmarks/coherence.py shots shots/orbit --output latent --model $M --options plain,steady,lively --seeds 0
python benchmarks/coherence.py pans shots/* --output latent --model $M --seeds 0 --frames 9
python benchmarks/coherence.py light --output latent --model $M
python benchmarks/coherence.py time ink/silhouette --output time --model $M --frames 6
python benchmarks/coherence.py report ink styles latent time --page docs/results.md
```

*Steady*, *Balanced* and *Lively* are `pull` 1 with `accumulation` 0.5, `pull` 1, and `accumulation`
1. *Phase Lock* is on, as it is by default: it alone makes pans of whole pixels nearly coherent.
The table has a row for each shot and style that was measured; the goals count these alone.

Where the camera moves forward, as in the shot *dolly*, strokes that stick to surfaces become wider.
Their edges are sharpened, because otherwise the gradient energy would fall with the square of their
width.
"""

Line = dict[str, Any]


def read_lines(folder: Path) -> list[Line]:
    path = folder / "figures.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def write_report(folders: Iterable[Path], page: Path | None) -> None:
    """Puts the report in its place in the page, or at its end; without a page, prints it."""
    lines = [line for folder in folders for line in read_lines(folder)]
    text = "\n".join([INTRODUCTION, *report(lines)]).rstrip() + "\n"
    if page is None:
        print(text)
        return
    old = page.read_text()
    part = re.compile(rf"^{re.escape(TITLE)}$.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    page.write_text(part.sub(lambda _: text + "\n", old) if part.search(old) else f"{old.rstrip()}\n\n{text}")


def report(lines: list[Line]) -> Iterator[str]:
    for latent in (False, True):
        ours = [line for line in lines if line["latent"] == latent]
        if ours:
            models = ", ".join(f"`{model}`" for model in sorted({line["model"] for line in ours}))
            yield f"### Coherence: {'a latent model' if latent else 'the default model'} ({models})\n"
            rows = list(ratios(ours, "shots"))
            yield from table(rows)
            yield from pans(ours)
            yield from light(ours)
            yield from goals(rows, ours, latent)


def ratios(lines: list[Line], part: str) -> Iterator[Line]:
    """For each option, style and shot: its figures over plain's, of each seed."""
    runs = {(line["style"], line["shot"], line["option"], line["seed"]): line for line in lines if line["part"] == part}
    for style, shot, option in dict.fromkeys((style, shot, option) for style, shot, option, _ in runs):
        seeds = [seed for seed in range(100) if (style, shot, option, seed) in runs and option != PLAIN]
        pairs = [(runs[style, shot, option, seed], runs[style, shot, PLAIN, seed]) for seed in seeds]
        if pairs:
            yield {
                "option": option,
                "style": style,
                "shot": shot,
                "seeds": len(pairs),
                "frames": pairs[0][0]["frames"],
                **{
                    f"{field} {lag}": [ours[field][lag] / plain[field][lag] for ours, plain in pairs]
                    for field in ("warp_error", "incoherence")
                    for lag in pairs[0][0][field]
                },
                "own": {lag: [ours["incoherence"][lag] for ours, _ in pairs] for lag in pairs[0][0]["incoherence"]},
                "gradients": [ours["gradient_energy"] / plain["gradient_energy"] for ours, plain in pairs],
                "drift": [ours["drift"] for ours, _ in pairs],
            }


def table(rows: list[Line]) -> Iterator[str]:
    lags = ("1", "4", "8", "16")
    columns = ["option", "style", "shot", "seeds", "frames", *(f"warp {lag}" for lag in lags)]
    columns += [*(f"incoherence {lag}" for lag in lags), "gradients", "drift"]
    yield "| " + " | ".join(columns) + " |"
    yield "| --- | --- | --- |" + " ---: |" * (len(columns) - 3)
    for row in rows:
        cells = [row["option"], row["style"], row["shot"], str(row["seeds"]), str(row["frames"])]
        cells += [mean(row.get(f"{field} {lag}", [])) for field in ("warp_error", "incoherence") for lag in lags]
        yield "| " + " | ".join([*cells, mean(row["gradients"]), mean(row["drift"])]) + " |"
    yield ""


def mean(values: list[float]) -> str:
    return f"{np.mean(values):.2f}" if values else ""


def pans(lines: list[Line]) -> Iterator[str]:
    rows = list(ratios(lines, "pans"))
    if rows:
        yield "Texture incoherence on pans over the first frame, and in brackets its ratio to warped noise alone.\n"
        yield "| option | pan | seeds | lag 1 | lag 4 | lag 8 |\n| --- | --- | ---: | ---: | ---: | ---: |"
        for row in rows:
            cells = [f"{np.mean(row['own'][lag]):.3f} ({mean(row[f'incoherence {lag}'])})" for lag in row["own"]]
            yield f"| {row['option']} | {row['shot']} | {row['seeds']} | " + " | ".join(cells) + " |"
        yield ""


def light(lines: list[Line]) -> Iterator[str]:
    rows = [line for line in lines if line["part"] == "light"]
    if rows:
        yield (
            "A shadow and a highlight move over a still wall, and a cylinder turns in front of it. The table gives\n"
            "the difference between the low bands of *Coherence* and of warped noise alone, in units of 1/255, and\n"
            "the ratio of their changes from frame to frame where the light does not change.\n"
        )
        yield "| option | style | shot | where light moved | elsewhere | change |"
        yield "| --- | --- | --- | ---: | ---: | ---: |"
        for row in rows:
            cells = [f"{row[name]:.2f}" for name in ("moved", "still", "change")]
            yield f"| {row['option']} | {row['style']} | {row['shot']} | " + " | ".join(cells) + " |"
        yield ""


def goals(rows: list[Line], lines: list[Line], latent: bool) -> Iterator[str]:
    ours = [row for row in rows if row["option"] == DEFAULT]
    if latent:
        yield goal("incoherence at lag 1", of(ours, "incoherence", "1"), most=0.5)
        yield goal("incoherence at lags 4 to 16", of(ours, "incoherence", "4", "8", "16"), most=0.7)
        panned = [row for row in ratios(lines, "pans") if row["option"] == DEFAULT]
        for what, lags, most in (("lag 1", ("1",), 0.03), ("lags 4 and 8", ("4", "8"), 0.05)):
            own = [
                (row["shot"], float(np.mean(row["own"][lag]))) for row in panned for lag in lags if lag in row["own"]
            ]
            yield goal(f"incoherence itself on pans at {what}", own, most=most, digits=3)
    else:
        ink = [row for row in ours if row["style"] == "ink"]
        yield goal("warp error at lag 1 in ink", of(ink, "warp_error", "1"), most=0.35)
        yield goal("warp error at lag 16 in ink", of(ink, "warp_error", "16"), most=0.5)
        yield goal(
            "warp error at all lags, in the styles of the table", of(ours, "warp_error", "1", "4", "8", "16"), most=1.0
        )
    found = [(f"{row['style']}, {row['shot']}", float(np.mean(row["gradients"]))) for row in ours]
    yield goal("gradient energy", found, least=0.9, most=1.15)
    lit = [row for row in lines if row["part"] == "light" and row["option"] == DEFAULT and row["shot"] != "silhouette"]
    found = [(f"{row['style']}, {row['shot']}", row["moved"]) for row in lit]
    what = "difference of the low band from that of warped noise alone, where light moved, in 1/255"
    yield goal(what, found, most=2.0)
    seconds = {(line["shot"], line["option"]): line["seconds"] for line in lines if line["part"] == "time"}
    shots = [shot for shot, option in seconds if option == DEFAULT]
    spent = [(shot, seconds[shot, DEFAULT] / seconds[shot, PLAIN]) for shot in shots]
    yield goal(f"CPU time, relative to warped noise alone ({', '.join(shots)})", spent, most=1.6 if latent else 1.25)
    yield ""


def of(rows: list[Line], field: str, *lags: str) -> list[tuple[str, float]]:
    return [
        (f"{row['style']}, {row['shot']}, lag {lag}", float(np.mean(row[f"{field} {lag}"])))
        for row in rows
        for lag in lags
        if f"{field} {lag}" in row
    ]


def goal(what: str, found: list[tuple[str, float]], *, most: float, least: float | None = None, digits: int = 2) -> str:
    """One line: the extremes, and whether all of them meet the goal."""
    wanted = f"at most {most}" if least is None else f"{least} to {most}"
    if not found:
        return f"- {what}: not measured (goal: {wanted})"
    values = [value for _, value in found]
    low, high = min(values), max(values)
    missed = sum(value > most or (least is not None and value < least) for _, value in found)
    farthest = low if least is not None and least - low > high - most else high
    worst = next(name for name, value in found if value == farthest)
    text = f"{low:.{digits}f} to {high:.{digits}f} (worst: {worst})" if len(found) > 1 else f"{high:.{digits}f}"
    verdict = f"missed by {missed} of {len(found)}" if missed else "met"
    return f"- {what}: {text} (goal: {wanted}, {verdict})"
