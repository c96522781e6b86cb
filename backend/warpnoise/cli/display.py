"""Progress for whoever reads: a bar on a terminal, lines in a log, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from tqdm import tqdm

from warpnoise.errors import WarpnoiseError
from warpnoise.progress import Progress

_BAR = "{desc:<10} {bar} {n_fmt}/{total_fmt} frames{postfix}"


class Listener(Protocol):
    """Takes progress as it comes."""

    def __call__(self, now: Progress, /) -> None: ...


@contextmanager
def show_progress(as_json: bool) -> Iterator[Listener]:
    """A listener for the pipeline: JSON lines on standard output, a bar or lines on standard error.

    With JSON, an error is one more line of it; it goes on from here as it came.
    """
    if as_json:
        try:
            yield lambda now: write_json("progress", now.model_dump())
        except WarpnoiseError as error:
            write_json("error", {"code": error.code, "message": str(error)})
            raise
    elif sys.stderr.isatty():
        bar = _Bar()
        try:
            yield bar
        finally:
            bar.close()
    else:
        yield _Lines()


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


class _Warnings:
    """Says each warning once."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def new(self, now: Progress) -> Iterator[str]:
        for text in now.warnings:
            if text not in self._said:
                self._said.add(text)
                yield f"warning: {text}"


class _Bar:
    """A bar that appears with the first progress, so that what is said before it stays readable."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None
        self._warnings = _Warnings()

    def __call__(self, now: Progress) -> None:
        for text in self._warnings.new(now):
            say(text)
        if self._bar is None:
            self._bar = tqdm(bar_format=_BAR, file=sys.stderr, leave=False, dynamic_ncols=True)
        bar = self._bar
        bar.total, bar.n = now.frames_total, now.frames_done
        bar.set_description_str(now.stage, refresh=False)
        parts = [f"step {now.step} of {now.steps_total}"] if now.stage == "stylizing" else []
        if now.seconds_left is not None:
            parts.append(f"{in_words(now.seconds_left)} left")
        bar.set_postfix_str(", ".join(parts))

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


class _Lines:
    """A line when the stage changes and when a frame is done, none for each step."""

    def __init__(self) -> None:
        self._warnings = _Warnings()
        self._last: tuple[str, int] | None = None

    def __call__(self, now: Progress) -> None:
        for text in self._warnings.new(now):
            print(text, file=sys.stderr, flush=True)
        if self._last == (now.stage, now.frames_done):
            return
        self._last = (now.stage, now.frames_done)
        left = "" if now.seconds_left is None else f", {in_words(now.seconds_left)} left"
        print(f"{now.stage}: {now.frames_done} of {now.frames_total} frames{left}", file=sys.stderr, flush=True)
