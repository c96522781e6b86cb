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
        default: ``...``: it must be given.
        title: in title case.
        description: a sentence or two for tooltips and help texts, without the last full stop.
        gt, ge, le: the range of a number. min_length, max_length: of a text or a list. enum: the allowed values.
        hints: ``subtype``: what a text or number is: FACTOR, FILE_PATH, DIR_PATH, MODEL (one of the backend's), STYLE
            (one of the model's). ``panel``: noise or coherence, the part of the add-on's panel that shows it; without
            it Style does. ``min``, ``soft_min``, ``soft_max``: of a slider, where it is narrower than the range.
            ``null``: what null means; ``start``: what is offered instead of it. ``metavar``: how the command line's
            help names the value; ``option``: one item of a list there. ``labels``: for each allowed value
            ``{"label", "description"}``. ``animatable``: whether it may change over the shot. ``hidden``: panels do not
            show it.
    """
    extra: dict[str, Any] = ({"enum": enum} if enum else {}) | ({"x-ui": hints} if hints else {})
    bounds = {"gt": gt, "ge": ge, "le": le, "min_length": min_length, "max_length": max_length}
    given: dict[str, Any] = {name: bound for name, bound in bounds.items() if bound is not None}
    return Field(default, title=title, description=description, json_schema_extra=extra, **given)
