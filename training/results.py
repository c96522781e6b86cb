"""Writes docs/results.md out of the figures of finished comparisons, so that no figure is typed by hand.

python -m training.results shots/*/job/compare/compare.json --output docs/results.md
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

INTRODUCTION = """\
# Results

This page compares every noise method of `warpnoise compare` on held-out shots. Each figure is the
mean over the seeds, ± their standard deviation. `backend/warpnoise/compare/`, and the page that the
command writes, define the figures:

- *Warp error* (times 1000) and *texture incoherence* compare frames that are 1, 4, 8 and 16 apart,
  moved by the true motion. Less is better. The floor is that of the input, and of a path-traced,
  textured render of the same shot.
- *Sharpness* is relative to random noise.
- Methods in italics have noise that is not white: they score by blurring the picture.

These commands make the figures again. The shots need the bpy wheel, everything else the backend's
environment:

```
python -m training.shots shots
for shot in shots/*; do
  warpnoise compare $shot/job --reference $shot/reference --strength 0.5
done
python -m training.results shots/*/job/compare/compare.json --output docs/results.md
python -m training.shot_pictures shots/truck shots/orbit shots/dolly --output docs/images/results.jpg
```

Appearance, in the first and the last frame of truck, orbit and dolly (seed 0, `photoreal`):

![Plain render, stylized and path traced](images/results.jpg)

Each shot names the model that made it, which may be an earlier one.

For latent models, and the goals of their noise, see
[Decoder-aligned noise](decoder-aligned-noise.md#shots-and-goals). For the cases where ours scores
worse than `chained` at lag 1, see
[Beside occlusion boundaries](noise.md#beside-occlusion-boundaries).

Sharpness differs between seeds. A single frame does not show which white method made its noise, so
on average all white methods are equally sharp. But `random` averages 24 independent noises a seed,
while `fixed`, `chained` and ours see little more than one. So three seeds leave an uncertainty of up
to a tenth in appearance, and of 0.04 in the super-resolution of truck. Twelve seeds of dolly, with an
earlier model (`8f2265f71564`), gave 1.01 ± 0.13, 1.00 ± 0.09 and 0.98 ± 0.13 for these three, all
within a standard error of 1; three seeds had given 0.91 ± 0.02 for ours (the command above with
`--methods random,fixed,chained,warped --tasks appearance --seeds 12`).

Super-resolution restores the path-traced render, reduced to a quarter of its width and height. The
floor's input is that reduced render, enlarged again. Invented detail is not the lost detail: SWD,
which compares textures, is below the input's, but so is PSNR.
"""

GOALS = (
    ("warp error at lag 1 over random's", "warp_error", "1", "random", 0.5),
    ("warp error at lag 1 over fixed's", "warp_error", "1", "fixed", 0.8),
    ("texture incoherence at lag 8 over chained's", "incoherence", "8", "chained", 0.8),
    ("texture incoherence at lag 16 over chained's", "incoherence", "16", "chained", 0.8),
)
"""What, figure, lag, the method that ours is compared with, and what the ratio shall be at most."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "figures", type=Path, nargs="+", help="compare.json of each shot, or copies with the shots' names"
    )
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    parts = [INTRODUCTION]
    for path in options.figures:
        name = path.stem if path.stem != "compare" else path.resolve().parents[2].name
        parts += shot_part(name, json.loads(path.read_text()))
    options.output.write_text("\n".join(parts) + "\n")


def shot_part(name: str, report: dict[str, Any]) -> Iterator[str]:
    """One shot in Markdown."""
    yield (
        f"## {name}\n\n{report['frames']} frames of {report['width']} x {report['height']}, "
        f"{report['speed_px']:.1f} pixels a frame in the median; seeds {', '.join(map(str, report['seeds']))}; "
        f"model `{report['model_digest'][:12]}`.\n"
    )
    for task, figures in report["tasks"].items():
        settings = figures["settings"]
        yield f"### {name}: {task}\n\nStrength {settings['strength']}, {settings['steps']} steps.\n"
        yield from _task_table(report, figures)
        yield from _goals(report, figures["methods"])
    yield f"### {name}: the noise itself\n"
    yield from _noise_table(report)


def _task_table(report: dict[str, Any], figures: dict[str, Any]) -> Iterator[str]:
    lags = [str(lag) for lag in report["lags"]]
    groups = [f"warp {lag}" for lag in lags] + [f"incoherence {lag}" for lag in lags]
    columns = [*groups, "sharpness", "PSNR", "SSIM", "SWD", "s a frame"]
    yield "| method | " + " | ".join(columns) + " |"
    yield "| --- |" + " ---: |" * len(columns)
    for name, row in [*figures["methods"].items(), *figures["floor"].items()]:
        cells = [_cell(row["warp_error"].get(lag), 3, 1000) for lag in lags]
        cells += [_cell(row["incoherence"].get(lag), 3) for lag in lags]
        cells += [_cell(row["sharpness"], 2), _cell(row["psnr"], 2), _cell(row["ssim"], 3)]
        cells += [_cell(row["wasserstein"], 1), _cell(row["seconds_per_frame"], 2)]
        yield f"| {_name(name, report)} | " + " | ".join(cells) + " |"
    yield ""


def _noise_table(report: dict[str, Any]) -> Iterator[str]:
    lags = [str(lag) for lag in report["lags"]]
    yield "| method | variance | correlation | " + " | ".join(f"fidelity {lag}" for lag in lags) + " | s a frame |"
    yield "| --- |" + " ---: |" * (len(lags) + 3)
    for name, row in report["noise"].items():
        cells = [_cell(row["variance"], 3), _cell(row["correlation"], 3)]
        cells += [_cell(row["fidelity"].get(lag), 3) for lag in lags]
        yield f"| {_name(name, report)} | " + " | ".join([*cells, _cell(row["seconds_per_frame"], 3)]) + " |"
    yield ""


def _goals(report: dict[str, Any], methods: dict[str, Any]) -> Iterator[str]:
    """Ours against the goals, missed ones included."""
    ours = methods.get("warped")
    if not ours:
        return
    for what, field, lag, other, most in GOALS:
        if other in methods and lag in methods[other][field] and lag in ours[field]:
            ratio = ours[field][lag]["mean"] / methods[other][field][lag]["mean"]
            yield f"- {what}: {ratio:.2f} (goal: at most {most:.2f}, {_verdict(ratio <= most)})"
    errors = {name: row["warp_error"] for name, row in methods.items()}
    if "1" in errors["warped"] and "1" in errors.get("chained", {}):
        own, other = errors["warped"]["1"], errors["chained"]["1"]
        good = own["mean"] <= other["mean"] + (own["spread"] or 0) + (other["spread"] or 0)
        ratio = own["mean"] / other["mean"]
        goal = f"(goal: not above 1 beyond the spread, {_verdict(good)})"
        yield f"- warp error at lag 1 over chained's: {ratio:.2f} {goal}"
    white = [name for name in errors if name != "warped" and report["noise"].get(name, {}).get("is_white")]
    for lag in ("8", "16"):
        others = {name: errors[name][lag]["mean"] for name in white if lag in errors[name]}
        if others and lag in errors["warped"]:
            best = min(others, key=lambda name: others[name])
            ratio = errors["warped"][lag]["mean"] / others[best]
            yield (
                f"- warp error at lag {lag} over the least of the other white methods ({best}): {ratio:.2f} "
                f"(goal: below 1, {_verdict(ratio < 1)})"
            )
    if ours["sharpness"]:
        sharpness = ours["sharpness"]["mean"]
        yield f"- sharpness: {sharpness:.2f} (goal: at least 0.97, {_verdict(sharpness >= 0.97)})"
    yield ""


def _verdict(good: bool) -> str:
    return "met" if good else "missed"


def _name(name: str, report: dict[str, Any]) -> str:
    if name == "warped":
        return "**warped (ours)**"
    noise = report["noise"].get(name)
    return f"*{name}*" if noise and not noise["is_white"] else name


def _cell(figure: dict[str, Any] | None, digits: int, scale: float = 1) -> str:
    if figure is None or figure["mean"] is None:
        return ""
    text = f"{figure['mean'] * scale:.{digits}f}"
    return text if figure["spread"] is None else f"{text} ± {figure['spread'] * scale:.{digits}f}"


if __name__ == "__main__":
    main()
