"""Shows progress: a bar on a terminal, lines in a log, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from tqdm import tqdm

from warpnoise.errors import WarpnoiseError
from warpnoise.progress import Progress

_BAR = "{desc:<10} {bar} {n_fmt}/{total_fmt} %s{postfix}"


Kind = Literal["text", "json", "openjd"]


@contextmanager
def show_progress(kind: Kind = "text") -> Iterator[Callable[[Progress], None]]:
    """A listener for the pipeline: a bar or lines on standard error, or lines for a program on standard output.

    ``json``: JSON lines. ``openjd``: the messages of Open Job Description. With either, an error is one more line; the
    error itself is raised on.
    """
    if kind != "text":
        try:
            yield _openjd_listener() if kind == "openjd" else lambda now: write_json("progress", now.model_dump())
        except WarpnoiseError as error:
            if kind == "json":
                write_json("error", {"code": error.code, "message": str(error)})
            else:
                print(f"openjd_fail: {' '.join(str(error).split())}", flush=True)
            raise
        return
    with display() as show:

        def listen(now: Progress) -> None:
            detail = f"step {now.step} of {now.steps_total}" if now.stage == "stylizing" else ""
            line = f"{now.stage}: {now.frames_done} of {now.frames_total} frames" if now.frames_total else ""
            if now.what:
                detail, line = now.what, f"{now.stage}: {now.what}"
            elif now.stage == "measuring" and now.steps_total:
                detail, line = f"the autoencoder, once: {now.step} %", "measuring the autoencoder, once"
            show(now.stage, now.frames_done, now.frames_total, now.seconds_left, now.warnings, detail, line)

        yield listen


@contextmanager
def display(unit: str = "frames") -> Iterator[Callable[..., None]]:
    """A bar on a terminal, or lines in a log. Each warning appears once.

    The bar appears with the first progress, so that earlier output stays readable.

    Args:
        unit: the unit of the counts.

    Yields:
        a function that shows the progress. ``detail`` appears beside the bar; a log gets ``line`` when it changes.
    """
    bar: tqdm[Any] | None = None
    said: set[str] = set()

    def show(
        stage: str,
        done: int,
        total: int,
        seconds_left: float | None,
        warnings: tuple[str, ...] = (),
        detail: str = "",
        line: str = "",
    ) -> None:
        nonlocal bar
        for text in dict.fromkeys(warnings):
            if text not in said:
                say(f"warning: {text}")
        left = "" if seconds_left is None else f"{in_words(seconds_left)} left"
        if sys.stderr.isatty():
            if bar is None:
                bar = tqdm(bar_format=_BAR % unit, file=sys.stderr, leave=False, dynamic_ncols=True)
            bar.total, bar.n = total, done
            bar.set_description_str(stage, refresh=False)
            bar.set_postfix_str(", ".join(filter(None, (detail, left))))
        elif line and line not in said:
            say(", ".join(filter(None, (line, left))))
        said.update(warnings, (line,))

    try:
        yield show
    finally:
        if bar is not None:
            bar.close()


def _openjd_listener() -> Callable[[Progress], None]:
    """Prints the progress as the messages that a worker of Open Job Description (2023-09) reads."""
    last: tuple[float, str] = -1.0, ""
    said: set[str] = set()

    def listen(now: Progress) -> None:
        nonlocal last
        for text in dict.fromkeys(now.warnings):
            if text not in said:
                say(f"warning: {text}")
        said.update(now.warnings)
        # The next frame's first step may be done before the last frame is written: the percentage never falls.
        percent = max(round(100 * now.fraction, 1), last[0])
        status = f"{now.stage}: {now.frames_done} of {now.frames_total} frames"
        if last[1] != status:
            print(f"openjd_status: {status}", flush=True)
        if last[0] != percent:
            print(f"openjd_progress: {percent}", flush=True)
        last = percent, status

    return listen


def say(text: str) -> None:
    """Prints a line on standard error, above the bar if there is one."""
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
