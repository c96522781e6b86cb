"""Writes the tables of docs/results.md from the figures of finished comparisons.

python -m training.results shots/*/job/compare/compare.json --output docs/results.md
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BEGIN = "<!-- `python -m training.results` writes what follows. -->"
END = "<!-- `python -m training.results` writes what precedes. -->"
"""What stands before the first line and after the second is kept."""

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
    parser.add_argument("--output", type=Path, required=True, help="the page; only its tables change")
    options = parser.parse_args()
    introduction, begin, rest = options.output.read_text().partition(f"{BEGIN}\n")
    _, end, others = rest.partition(f"{END}\n")
    if not begin or not end:
        raise SystemExit(f"{options.output}: the tables belong between the lines {BEGIN!r} and {END!r}; add them")
    parts = [f"{introduction}{BEGIN}\n"]
    for path in options.figures:
        name = path.stem if path.stem != "compare" else path.resolve().parents[2].name
        parts += shot_part(name, json.loads(path.read_text()))
    options.output.write_text("\n".join([*parts, end + others]))


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
    """The figures of warped noise beside the goals, including missed ones."""
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
