"""Options that several subcommands share."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

job_argument = click.argument("job", type=click.Path(path_type=Path))

device_option = click.option(
    "--device", metavar="NAME", help="cpu, cuda, cuda:1, mps, ...; without it, the best that is there."
)

_SETTINGS = [
    click.option("--model", metavar="NAME|FOLDER", help='"default", or a folder of a diffusers model.'),
    click.option("--style", metavar="NAME", help="One of the model's styles; `warpnoise models` lists them."),
    click.option("--prompt", metavar="TEXT", help="What to show, for a model that takes text."),
    click.option("--negative-prompt", metavar="TEXT", help="What not to show."),
    click.option("--strength", type=float, help="0 to 1: how far from the render the model may go."),
    click.option(
        "--steps", type=int, help="Steps of the whole schedule (the model's own); strength * steps of them run."
    ),
    click.option("--guidance", type=float, help="How strongly the style or prompt is followed."),
    click.option("--texture", type=float, help="0 to 1: how much unevenness flat surfaces are given to work on."),
    click.option("--eta", type=float, help="0: deterministic (DDIM); 1: fully stochastic (DDPM)."),
    click.option("--seed", type=int, help="Another seed, another noise."),
    click.option("--noise", metavar="NAME", help='"warped", or a baseline such as "random" or "fixed".'),
]


def settings_options(function: F) -> F:
    """One option for each of a job's settings; those that are not given stay as job.json has them."""
    for option in reversed(_SETTINGS):
        function = option(function)
    return function


class _Two(click.ParamType[tuple[int, int]]):
    """Two whole numbers in one word."""

    def __init__(self, name: str, pattern: str, expected: str) -> None:
        self.name = name
        self._pattern, self._expected = re.compile(pattern), expected

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        match = self._pattern.fullmatch(value)
        if match is None:
            self.fail(f"expected {self._expected}, got {value!r}", param, ctx)
        return int(match[1]), int(match[2] or match[1])


def subset_options(function: F) -> F:
    """``frames``: first and last number; ``chunk``: number and count; each None where it is not given."""
    frames = click.option(
        "--frames",
        type=_Two("START:END", r"(-?\d+)(?::(-?\d+))?", "START:END like 49:72"),
        help="Only these frames, both ends included.",
    )
    chunk = click.option(
        "--chunk",
        type=_Two("K/N", r"(\d+)/(\d+)", "K/N like 3/10"),
        help="Only the Kth of N equal parts, in order.",
    )
    return frames(chunk(function))


def chosen_frames(
    frames: Sequence[int], span: tuple[int, int] | None, chunk: tuple[int, int] | None
) -> list[int] | None:
    """What ``subset_options`` choose of a job's frames; None: all. Raises SettingsError for what is not there."""
    from warpnoise.job import chunk_of, frames_between

    if span is None and chunk is None:
        return None
    chosen = list(frames) if span is None else frames_between(frames, *span)
    return chosen if chunk is None else chunk_of(chosen, *chunk)


def given(settings: dict[str, Any]) -> dict[str, Any]:
    """Only the settings that were given on the command line."""
    return {name: value for name, value in settings.items() if value is not None}
