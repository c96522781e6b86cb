"""JSON from outside, with limits. The backend reads all JSON through this module.

A text is UTF-8 (a byte order mark is ignored), has at most ``LARGEST`` bytes, is nested at most 200 deep, and holds at
most ``MOST_VALUES`` values and only finite numbers. If an object has a key twice, the last one counts.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, Final

import pydantic_core

from warpnoise.errors import MediaError, WarpnoiseError
from warpnoise.media.bounded import read_bytes

LARGEST: Final = 64 << 20
"""Bytes. A shot's job.json is the largest file by far; see ``warpnoise.job``, which allows it more."""
MOST_VALUES: Final = 8_000_000
_REQUIRED: Final = object()
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MAY_OVERFLOW = re.compile(rb"[eE]\+?[0-9]{3}|[0-9]{300}")


def parse_json(
    data: bytes,
    where: object,
    *,
    error: type[WarpnoiseError] = MediaError,
    advice: str = "",
    largest: int = LARGEST,
    finite: bool = True,
) -> Any:
    """The value of a JSON text.

    Args:
        data: the text.
        where: names it in messages: a path, or "the answer".
        error: what is raised.
        advice: a sentence that says what to do: "Export the animation again."
        finite: whether infinities and NaN, which are no JSON, are refused; diffusers writes some.

    Raises:
        error: too large, not UTF-8, not JSON, nested too deep, too many values, or a number that is not finite.
    """
    if len(data) > largest:
        raise error(_sentences(f"{where} has {len(data)} bytes; expected at most {largest}.", advice))
    if sum(data.count(mark) for mark in (b",", b"[", b"{")) > MOST_VALUES:
        raise error(_sentences(f"{where} holds more than {MOST_VALUES} values.", advice))
    try:
        # The parser's own limit of nesting is 200; its numbers overflow to infinity.
        value = pydantic_core.from_json(data.removeprefix(_BYTE_ORDER_MARK), allow_inf_nan=not finite)
        if finite and _MAY_OVERFLOW.search(data):
            _check_finite(value)
    except ValueError as failure:
        reason = "it is nested too deeply" if "recursion limit" in str(failure) else str(failure)
        raise error(_sentences(f"{where} is not JSON: {reason}.", advice)) from None
    return value


def read_json(
    path: Path,
    *,
    error: type[WarpnoiseError] = MediaError,
    advice: str = "",
    missing: Any = _REQUIRED,
    largest: int = LARGEST,
    finite: bool = True,
) -> Any:
    """The value in a JSON file.

    Args:
        missing: returned where there is no such file. Without it, that raises ``error``.
        error, advice, largest, finite: as for ``parse_json``.

    Raises:
        error: as ``parse_json``, and for a file that is missing or cannot be read.
    """
    try:
        data = read_bytes(path, largest, error=error)
    except FileNotFoundError:
        if missing is not _REQUIRED:
            return missing
        raise error(_sentences(f"{path} is missing.", advice)) from None
    return parse_json(data, path, error=error, advice=advice, largest=largest, finite=finite)


def read_object(
    path: Path,
    *,
    error: type[WarpnoiseError] = MediaError,
    advice: str = "",
    largest: int = LARGEST,
    finite: bool = True,
) -> dict[str, Any]:
    """The object in a JSON file. Raises ``error`` as ``read_json`` does, and for any other value."""
    value = read_json(path, error=error, advice=advice, largest=largest, finite=finite)
    if not isinstance(value, dict):
        raise error(_sentences(f"{path}: expected a JSON object, got {type(value).__name__}.", advice))
    return value


def _check_finite(value: Any) -> None:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, float) and not math.isfinite(item):
            raise ValueError("a number is too large")


def _sentences(problem: str, advice: str) -> str:
    return f"{problem} {advice}".rstrip()
