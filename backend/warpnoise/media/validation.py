"""Validates input from outside with pydantic, and turns its errors into sentences that name the field."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from warpnoise.errors import SettingsError, WarpnoiseError


class StrictModel(BaseModel):
    """Frozen; a number in quotes is not a number, and unknown fields are refused: they are mostly typing errors.

    Validators raise ValueError with a whole sentence, which messages have as it is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, populate_by_name=True)


class Options(StrictModel):
    """The options of a call. Making one raises SettingsError, which names the bad options."""

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as failure:
            raise SettingsError(f"{_sentences(type(self), failure)}.") from None


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
            each allowed value ``{"label", "description"}``; a preset also has ``"sets"``, the settings that it gives.
            ``animatable``: whether it may change over the shot. ``hidden``: panels do not show it.
    """
    extra: dict[str, Any] = ({"enum": enum} if enum else {}) | ({"x-ui": hints} if hints else {})
    bounds = {"gt": gt, "ge": ge, "le": le, "min_length": min_length, "max_length": max_length}
    constraints: dict[str, Any] = {name: bound for name, bound in bounds.items() if bound is not None}
    return Field(default, title=title, description=description, json_schema_extra=extra, **constraints)


_BRANCH = re.compile(r"constrained-\w+|dict\[.*\]")
"""What pydantic calls the branches of a union, as parts of a place."""

_Model = TypeVar("_Model", bound=StrictModel)


def validated(model: type[_Model], content: object, where: str, error: type[WarpnoiseError]) -> _Model:
    """``content`` as a ``model``; lists stand for tuples, as in JSON.

    Raises:
        error: names up to three bad fields; ``where`` begins the message.
    """
    try:
        return model.model_validate(_tuples(content))
    except UnicodeEncodeError:
        raise error(f"{where}: a text holds half of a character (a lone surrogate). Type it again.") from None
    except ValidationError as failure:
        raise error(f"{where}: {_sentences(model, failure)}.") from None


def _tuples(value: Any) -> Any:
    """Lists as tuples. Raises UnicodeEncodeError: a text that no file could hold."""
    if isinstance(value, str):
        value.encode()
    if isinstance(value, list | tuple):
        return tuple(_tuples(item) for item in value)
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return value


def _sentences(model: type[BaseModel], failure: ValidationError) -> str:
    details = failure.errors(include_url=False)
    more = [f"and {len(details) - 3} more"] if len(details) > 3 else []
    return "; ".join([*(_message(model, item) for item in details[:3]), *more])


def first_message(model: type[BaseModel], failure: ValidationError) -> str:
    """The first of a failure's complaints, for a validator that checks with another model."""
    return _message(model, failure.errors(include_url=False)[0])


def _message(model: type[BaseModel], detail: ErrorDetails) -> str:
    place = _place(detail["loc"])
    kind = detail["type"]
    if kind == "missing":
        return f"{place}: this field is missing"
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(short(detail["loc"][-1]), _field_names(model, detail["loc"][:-1]), n=1)
        return f"{place}: no such field" + (f"; perhaps {near[0]!r} is meant" if near else "")
    if kind == "value_error":
        text = short(detail["ctx"]["error"], 300)
        return f"{place}: {text}" if detail["loc"] else text
    expected = re.sub(r"^(Input|String) should", "expected to", detail["msg"]).replace("expected to be", "expected")
    return f"{place}: {expected}, got {short(repr(detail['input']))}"


def short(text: object, longest: int = 60) -> str:
    """A short form of a value from a file, which may have any length."""
    whole = str(text)
    return whole if len(whole) <= longest else f"{whole[: longest - 3]}..."


def _place(loc: Iterable[int | str]) -> str:
    text = ""
    for part in loc:
        if isinstance(part, str) and _BRANCH.fullmatch(part):
            continue
        text += f"[{part}]" if isinstance(part, int) else f".{short(part)}"
    return text.removeprefix(".") or "the whole"


def _field_names(model: type[BaseModel] | None, loc: Iterable[int | str]) -> list[str]:
    """The fields of the model that stands at ``loc`` in ``model``."""
    for part in loc:
        if isinstance(part, str) and model is not None:
            fields = {field.alias or name: field for name, field in model.model_fields.items()}
            model = _model_in(fields[part].annotation) if part in fields else None
    return [] if model is None else [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that an annotation holds, in a tuple or a union too."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part)) is not None), None)
