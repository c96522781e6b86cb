"""A setting: a field with what command lines and interfaces need."""

from __future__ import annotations

from typing import Any

from pydantic import Field


def setting(
    default: object,
    title: str,
    description: str,
    *,
    gt: float | None = None,
    ge: float | None = None,
    le: float | None = None,
    min_length: int | None = None,
    max_length: int | None = None,
    enum: list[str | None] | None = None,
    **hints: object,
) -> Any:
    """A field of a settings model.

    Args:
        default: the default; ``...`` makes the field required.
        title: in title case.
        description: a sentence or two for tooltips and help texts, without the last full stop.
        gt, ge, le: the range of a number. min_length, max_length: of a text or a list. enum: the allowed values.
        hints: ``subtype``: the meaning of a text or number: FACTOR, FILE_PATH, DIR_PATH, MODEL (one of the backend's)
            or STYLE (one of the model's). ``panel``: the part of the add-on's panel that shows it, noise or coherence;
            default: Style. ``min``, ``soft_min``, ``soft_max``: bounds of a slider that is narrower than the range.
            ``null``: the meaning of null; ``start``: the first value once it is not null. ``metavar``: the value's name
            in the command line's help; ``option``: the option's name there, for one item of a list. ``labels``: for
            each allowed value ``{"label", "description"}``. ``animatable``: whether it may change over the shot.
            ``hidden``: panels do not show it.
    """
    extra: dict[str, Any] = ({"enum": enum} if enum else {}) | ({"x-ui": hints} if hints else {})
    bounds = {"gt": gt, "ge": ge, "le": le, "min_length": min_length, "max_length": max_length}
    constraints: dict[str, Any] = {name: bound for name, bound in bounds.items() if bound is not None}
    return Field(default, title=title, description=description, json_schema_extra=extra, **constraints)
