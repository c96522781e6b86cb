"""Checks a server's answers before they are used: the versions, and the shapes of docs/architecture.md."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import BackendError, BackendVersionError, Message, from_backend
from ..version import VERSION

Job = dict[str, Any]
"""A job as the interface shows it (docs/architecture.md), with every field of `NEW_JOB`."""
NEW_JOB: Job = {
    "stage": "loading", "frames_done": 0, "frames_total": 0, "frames_kept": 0, "step": 0, "steps_total": 0,
    "seconds_left": None, "seconds_since_progress": 0.0, "newest_frame": None, "result": None, "warnings": [],
    "error": None,
}  # fmt: skip
ENDS = ("done", "failed", "cancelled")
"""The states that a job or a download ends in."""
_LONGEST_TEXT = 10_000
"""Characters of a message; a longer one would fill the screen."""
Fits = Callable[[object], bool]


def check(what: str, answer: Mapping[str, Any]) -> None:
    """Check the answer ``what``, one of `SHAPES`. Raises BackendError: it lacks a field, or one is of another type."""
    for field, fits in SHAPES[what].items():
        name = field.rstrip("!")
        if (name in answer or field != name) and not fits(answer.get(name)):
            raise BackendError(
                "the backend's answer is not a {what}: its {name} is {got}",
                what=what,
                name=name,
                got=repr(answer.get(name))[:80],
            )


def read_job(answer: dict[str, Any]) -> Job:
    """The job of an answer. Raises BackendError as `check`."""
    check("job", answer)
    job = NEW_JOB | answer
    if error := job["error"]:
        job["error"] = error | {"message": from_backend(error["message"])}
    return job | {"warnings": [from_backend(text) for text in job["warnings"]]}


def _text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_TEXT


def _bool(value: object) -> bool:
    return isinstance(value, bool)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63


def _count(value: object) -> bool:
    return _whole(value) and value >= 0  # type: ignore[operator]


def _number(value: object) -> bool:
    return _whole(value) or (isinstance(value, float) and math.isfinite(value))


def _object(value: object) -> bool:
    return isinstance(value, dict)


def _list(fits: Fits) -> Fits:
    return lambda value: isinstance(value, list) and all(map(fits, value))


def _or_none(fits: Fits) -> Fits:
    return lambda value: value is None or fits(value)


def _a(what: str) -> Fits:
    """An object of that shape. Errors inside it name it."""

    def fits(value: object) -> bool:
        if isinstance(value, dict):
            check(what, value)
        return isinstance(value, dict)

    return fits


SHAPES: Mapping[str, Mapping[str, Fits]] = {
    "status": {
        "version": _text, "device": _text, "device_name": _text, "memory_total": _count, "memory_free": _count,
        "memory": _text, "torch": _text, "models": _list(_a("model of the status")),
        "uploads": _or_none(_a("limit of uploads")),
    },
    "model of the status": {"name!": _text, "styles": _list(_text), "prompt": _bool, "takes": _list(_text)},
    "limit of uploads": {"largest_file": _count, "days": _number},
    "list of models": {"installed!": _list(_a("model")), "suggested!": _list(_a("model"))},
    "model": {
        "name!": _text, "title!": _text, "source": _text, "family": _or_none(_text), "size!": _count,
        "memory": _or_none(_count), "license": _or_none(_text), "license_url": _or_none(_text), "description": _text,
        "styles": _list(_text), "takes": _list(_text), "error": _or_none(_text), "error_code": _or_none(_text),
        "base": _or_none(_text), "gated": _bool, "installed": _bool, "kind": _text,
    },
    "offer of a model": {
        "name!": _text, "kind!": _text, "family!": _text, "license!": _text, "license_url!": _text, "gated!": _bool,
        "size!": _count, "to_download!": _count, "memory!": _count, "free!": _count, "installed!": _bool,
    },
    "check of settings": {"warnings": _list(_text), "model": _or_none(_a("model"))},
    "download": {
        "id!": _text, "state!": _text, "bytes_done!": _count, "bytes_total!": _count, "seconds_left": _or_none(_number),
        "error": _or_none(_a("error")),
    },
    "upload": {"id!": _text, "files": _object, "job": _or_none(_text)},
    "job": {
        "id!": _text, "state!": _text, "stage": _text, "frames_done": _count, "frames_total": _count,
        "frames_kept": _count, "step": _count, "steps_total": _count, "seconds_left": _or_none(_number),
        "seconds_since_progress": _number, "newest_frame": _or_none(_whole), "warnings": _list(_text),
        "error": _or_none(_a("error")), "result": _or_none(_text),
    },
    "error": {"code!": _text, "message!": _text},
}  # fmt: skip
"""The fields of each answer; those with ``!`` must be there."""


INTERFACE = 2
"""The HTTP interface that this add-on speaks."""
JOB_SCHEMA = 2
"""The schema of the job folders that this add-on writes."""


def check_versions(told: Mapping[str, Any], update_hint: str) -> None:
    """Compare the numbers in a ready line, which has no ``job_schema``, or in a status with ours.

    Args:
        update_hint: the command that updates the backend.

    Raises:
        BackendVersionError: too old or too new.
    """
    _compare(Message("the interface"), told.get("interface"), INTERFACE, told, update_hint)
    _compare(Message("job folders of schema"), told.get("job_schema", JOB_SCHEMA), JOB_SCHEMA, told, update_hint)


def _compare(what: str, theirs: object, ours: int, told: Mapping[str, Any], update_hint: str) -> None:
    version = told.get("version", told.get("warpnoise"))
    values: dict[str, object] = {"what": what, "theirs": theirs, "ours": ours, "version": version, "own": VERSION}
    if not isinstance(theirs, int) or isinstance(theirs, bool):
        raise BackendVersionError(
            "the server is not a Warpnoise backend that this add-on {own} knows: expected {what} {ours}, got "
            "{theirs!r}",
            **values,
        )
    if theirs < ours:
        raise BackendVersionError(
            "the backend {version} is too old for this add-on {own}: it speaks {what} {theirs}, "
            "{ours} is needed. Update it: {update_hint}",
            **values,
            update_hint=update_hint,
        )
    if theirs > ours:
        raise BackendVersionError(
            "the backend {version} is too new for this add-on {own}: it speaks {what} {theirs}, "
            "this add-on {ours}. Update the Warpnoise extension in Blender's preferences",
            **values,
        )
