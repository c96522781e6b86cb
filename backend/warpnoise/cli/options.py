"""Options that several subcommands share."""

from __future__ import annotations

from collections.abc import Callable
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
    click.option("--steps", type=int, help="Steps of the whole schedule; strength * steps of them run."),
    click.option("--guidance", type=float, help="How strongly the style or prompt is followed."),
    click.option("--eta", type=float, help="0: deterministic (DDIM); 1: fully stochastic (DDPM)."),
    click.option("--seed", type=int, help="Another seed, another noise."),
    click.option("--noise", metavar="NAME", help='"warped", or a baseline such as "random" or "fixed".'),
]


def settings_options(function: F) -> F:
    """One option for each of a job's settings; those that are not given stay as job.json has them."""
    for option in reversed(_SETTINGS):
        function = option(function)
    return function


def given(settings: dict[str, Any]) -> dict[str, Any]:
    """Only the settings that were given on the command line."""
    return {name: value for name, value in settings.items() if value is not None}
