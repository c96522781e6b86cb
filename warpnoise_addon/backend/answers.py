"""Whether a server's answers have the shape of docs/architecture.md, before anything is made of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import BackendError

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


def check_status(answer: dict[str, Any]) -> None:
    """Raises BackendError: not the answer of ``GET /status``."""
    _check("status", answer, {
        "version": _is_text, "device": _is_text, "device_name": _is_text, "memory_total": _is_count,
        "memory_free": _is_count, "models": _is_list, "uploads": _or_none(_is_object),
    })  # fmt: skip
    for model in answer.get("models") or ():
        if not isinstance(model, dict) or "name" not in model:
            raise _foreign("status", "models", model)
        _check("model", model, {"name": _is_text, "styles": _is_texts, "prompt": _is_bool, "takes": _is_texts})
    if answer.get("uploads"):
        _check("status", answer["uploads"], {"largest_file": _is_count, "days": _is_number})


def check_models(answer: dict[str, Any]) -> None:
    """Raises BackendError: not the answer of ``GET /models``."""
    for kind in ("installed", "suggested"):
        if not _is_list(answer.get(kind)):
            raise _foreign("list of models", kind, answer.get(kind))
        for model in answer[kind]:
            if not isinstance(model, dict) or not {"name", "title", "size"} <= set(model):
                raise _foreign("list of models", kind, model)
            check_model(model)


def check_model(answer: dict[str, Any]) -> None:
    """Raises BackendError: not a model."""
    _check("model", answer, {
        "name": _is_text, "title": _is_text, "source": _is_text, "family": _or_none(_is_text), "size": _is_count,
        "memory": _or_none(_is_count), "license": _or_none(_is_text), "license_url": _or_none(_is_text),
        "description": _is_text, "styles": _is_texts, "takes": _is_texts, "error": _or_none(_is_text),
        "gated": _is_bool, "installed": _is_bool, "kind": _is_text,
    })  # fmt: skip


def check_offer(answer: dict[str, Any]) -> None:
    """Raises BackendError: not the answer of ``GET /models/hub/...``."""
    expected = {
        "name": _is_text, "kind": _is_text, "family": _is_text, "license": _is_text, "license_url": _is_text,
        "gated": _is_bool, "size": _is_count, "to_download": _is_count, "memory": _is_count, "free": _is_count,
        "installed": _is_bool,
    }  # fmt: skip
    if missing := sorted(set(expected) - set(answer)):
        raise _foreign("offer of a model", missing[0], None)
    _check("offer of a model", answer, expected)


def check_settings_answer(answer: dict[str, Any]) -> None:
    """Raises BackendError: not the answer of ``POST /check``."""
    _check("check of settings", answer, {"warnings": _is_texts, "model": _or_none(_is_object)})
    if answer.get("model"):
        check_model(answer["model"])


def check_download(answer: dict[str, Any]) -> None:
    """Raises BackendError: not a download."""
    if not {"id", "state", "bytes_done", "bytes_total"} <= set(answer):
        raise _foreign("download", "id", sorted(answer))
    _check("download", answer, {
        "id": _is_text, "state": _is_text, "bytes_done": _is_count, "bytes_total": _is_count,
        "seconds_left": _or_none(_is_number), "error": _or_none(_is_object),
    })  # fmt: skip


def read_job(answer: dict[str, Any]) -> Job:
    """The job of an answer. Raises BackendError: not a job."""
    if "id" not in answer or "state" not in answer:
        raise BackendError(
            "the backend's answer is not a job: expected `id` and `state`, got {got}",
            got=str(sorted(answer))[:200],
        )
    _check("job", answer, {
        "id": _is_text, "state": _is_text, "stage": _is_text, "frames_done": _is_count, "frames_total": _is_count,
        "frames_kept": _is_count, "step": _is_count, "steps_total": _is_count, "seconds_left": _or_none(_is_number),
        "seconds_since_progress": _is_number, "newest_frame": _or_none(_is_whole), "warnings": _is_texts,
        "error": _or_none(_is_object), "result": _or_none(_is_text),
    })  # fmt: skip
    if answer.get("error"):
        if not {"code", "message"} <= set(answer["error"]):
            raise _foreign("job", "error", answer["error"])
        _check("job", answer["error"], {"code": _is_text, "message": _is_text})
    return NEW_JOB | answer


def _check(what: str, answer: dict[str, Any], expected: Mapping[str, Callable[[object], bool]]) -> None:
    for name, fits in expected.items():
        if name in answer and not fits(answer[name]):
            raise _foreign(what, name, answer[name])


def _foreign(what: str, name: str, got: object) -> BackendError:
    return BackendError(
        "the backend's answer is not a {what}: its {name} is {got}", what=what, name=name, got=repr(got)[:80]
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_TEXT


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63


def _is_count(value: object) -> bool:
    return _is_whole(value) and value >= 0  # type: ignore[operator]


def _is_number(value: object) -> bool:
    return _is_whole(value) or (isinstance(value, float) and math.isfinite(value))


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(_is_text(item) for item in value)


def _or_none(fits: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or fits(value)
