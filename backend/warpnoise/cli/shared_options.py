"""Options of subcommands: those that several share, and those that come from the schema of a model."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from warpnoise.errors import SettingsError
from warpnoise.job.settings_schema import item_from_text, settings_schema
from warpnoise.media.validation import Options, StrictModel

F = TypeVar("F", bound=Callable[..., Any])

job_argument = click.argument("job", type=click.Path(path_type=Path))

device_option = click.option("--device", metavar="NAME", help="cpu, cuda, cuda:1, mps, ... Default: the best device.")
dtype_option = click.option(
    "--dtype",
    type=click.Choice(["float32", "float16", "bfloat16"]),
    help="The model's precision. Default: half, if the device supports it.",
)
batch_option = click.option(
    "--batch", type=click.IntRange(min=1), help="The number of frames in a batch. Default: depends on the device."
)


def together(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Several options as one decorator, in the order of help texts."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


NO_ITEMS = "none"
"""What the option of a list takes in place of an item. A file of that name is ``./none``."""

_TYPES = {"number": click.FLOAT, "integer": click.INT, "string": click.STRING, "path": click.Path(path_type=Path)}


def options_of(model: type[StrictModel], *without: str) -> Callable[[F], Callable[..., Any]]:
    """One option for each field of a model but those of ``without``.

    The command gets a dictionary of those that the command line names: ``settings``, or ``chosen`` for `Options`, whose
    defaults the help texts show. A list whose option got ``NO_ITEMS`` is empty.
    """
    properties = {name: each for name, each in settings_schema(model)["properties"].items() if name not in without}
    own = issubclass(model, Options)

    def decorate(function: F) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(**values: Any) -> Any:
            given = {name: values.pop(name) for name in properties}
            named = {name: value for name, value in given.items() if value not in (None, ())}
            whole = {k: tuple(i for i in v if i is not None) if isinstance(v, tuple) else v for k, v in named.items()}
            return function(**{"chosen" if own else "settings": whole}, **values)

        return together(*(_option(name, schema, own) for name, schema in properties.items()))(call)

    return decorate


def _option(name: str, schema: Mapping[str, Any], defaults: bool) -> Callable[[F], F]:
    """The option of one field, of its JSON schema. That of a list of objects is repeated, an item each time."""
    hints, kinds = schema.get("x-ui", {}), schema["type"]
    flag = f"--{name.replace('_', '-')}"
    simple = defaults and kinds not in ("boolean", "array")
    default = hints.get("null", schema.get("default") if simple else None)
    text = schema["description"] + ("." if default is None else f". Default: {default}.")
    shared: dict[str, Any] = {"help": text, "metavar": hints.get("metavar")}
    if kinds == "array" and "properties" not in schema["items"]:
        return click.option(flag, callback=functools.partial(_items, schema["items"]["type"]), **shared)
    if kinds == "array":
        shared["help"] += f' Repeat the option to use several, or use "{NO_ITEMS}" to leave out those in job.json.'
        return click.option(f"--{hints['option']}", name, type=_Item(schema["items"]), multiple=True, **shared)
    if "enum" in schema:
        return click.option(flag, type=click.Choice([each for each in schema["enum"] if each is not None]), **shared)
    if kinds == "boolean":
        return click.option(flag if defaults else f"{flag}/--no-{flag[2:]}", is_flag=True, default=None, help=text)
    (kind,) = {kinds} if isinstance(kinds, str) else set(kinds) - {"null"}
    return click.option(flag, type=_TYPES[schema.get("format", kind)], **shared)


def _items(kind: str, context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[Any, ...] | None:
    """The items of a list with commas between them."""
    if text is None:
        return None
    try:
        items = tuple(int(item) if kind == "integer" else item.strip() for item in text.split(",") if item.strip())
    except ValueError:
        raise click.BadParameter(f"expected whole numbers with commas between them, got {text!r}") from None
    if not items:
        raise click.BadParameter(f"expected at least one item, got {text!r}")
    return items


class _Item(click.ParamType["dict[str, Any] | None"]):
    """An item of a list-valued setting; None: ``NO_ITEMS``."""

    name = "VALUE[,KEY=VALUE...]"

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any] | None:
        if isinstance(value, dict):
            return value
        if value == NO_ITEMS:
            return None
        try:
            return item_from_text(self._schema, value)
        except ValueError as failure:
            self.fail(f"{value!r}: {failure}", param, ctx)


frames_option = click.option(
    "--frames",
    metavar="RANGE",
    default="ALL",
    help="Only these frames, such as 1-24, 1-9:2, 7,9,20 or -3--1. ALL, the default, means every frame.",
)
"""``frames``: a text for `warpnoise.job.select_frames`."""


progress_options = together(
    click.option("--json", "progress", flag_value="json", help="Print progress, summary and errors as lines of JSON."),
    click.option(
        "--openjd",
        "progress",
        flag_value="openjd",
        help="Print progress and errors as lines for Open Job Description.",
    ),
    click.option("--text", "progress", flag_value="text", default=True, hidden=True),
)
"""``progress``: "text", "json" or "openjd", for `warpnoise.cli.display.show_progress`."""


@contextlib.contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Around imports that an optional dependency serves.

    Raises:
        SettingsError: it is not installed, with the command that installs it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "warpnoise"):
            raise
        raise SettingsError(
            f"this command needs the package {package}, which is not installed. "
            f"Install it: python -m pip install 'warpnoise[{extra}]'"
        ) from error
