"""Progress for whoever reads: a bar on a terminal, lines in a log, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

from warpnoise.errors import WarpnoiseError
from warpnoise.progress import Progress

_BAR = "{desc:<10} {bar} {n_fmt}/{total_fmt} frames{postfix}"


@contextmanager
def show_progress(as_json: bool) -> Iterator[Callable[[Progress], None]]:
    """A listener for the pipeline: JSON lines on standard output, a bar or lines on standard error.

    With JSON, an error is one more line of it; the error itself is raised on.
    """
    if as_json:
        try:
            yield lambda now: write_json("progress", now.model_dump())
        except WarpnoiseError as error:
            write_json("error", {"code": error.code, "message": str(error)})
            raise
        return
    with display() as show:

        def listen(now: Progress) -> None:
            detail = f"step {now.step} of {now.steps_total}" if now.stage == "stylizing" else ""
            line = f"{now.stage}: {now.frames_done} of {now.frames_total} frames"
            show(Shown(now.stage, now.frames_done, now.frames_total, now.seconds_left, now.warnings, detail, line))

        yield listen


@dataclass(frozen=True)
class Shown:
    """What a person sees of a progress. ``detail``: beside the bar. ``line``: a log gets it when it changes."""

    stage: str
    done: int
    total: int
    seconds_left: float | None
    warnings: tuple[str, ...]
    detail: str
    line: str


@contextmanager
def display() -> Iterator[Callable[[Shown], None]]:
    """A bar on a terminal, lines in a log; each warning once. The bar appears with the first progress, so that what is
    said before it stays readable."""
    bar: tqdm[Any] | None = None
    said: set[str] = set()

    def show(now: Shown) -> None:
        nonlocal bar
        for text in dict.fromkeys(now.warnings):
            if text not in said:
                say(f"warning: {text}")
        left = "" if now.seconds_left is None else f"{in_words(now.seconds_left)} left"
        if sys.stderr.isatty():
            if bar is None:
                bar = tqdm(bar_format=_BAR, file=sys.stderr, leave=False, dynamic_ncols=True)
            bar.total, bar.n = now.total, now.done
            bar.set_description_str(now.stage, refresh=False)
            bar.set_postfix_str(", ".join(filter(None, (now.detail, left))))
        elif now.line and now.line not in said:
            say(", ".join(filter(None, (now.line, left))))
        said.update(now.warnings, (now.line,))

    try:
        yield show
    finally:
        if bar is not None:
            bar.close()


def say(text: str) -> None:
    """A line on standard error, above a bar that may stand there."""
    tqdm.write(text, file=sys.stderr)


def write_json(event: str, content: dict[str, Any]) -> None:
    """One line of JSON on standard output: ``{"event": "progress" | "summary" | "error", ...}``."""
    print(json.dumps({"event": event, **content}, default=str), flush=True)


def in_words(seconds: float) -> str:
    """A duration for people: "40 s", "12 min 5 s", "2 h 3 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
