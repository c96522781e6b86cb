"""Checks whether the add-on and the backend are compatible, by the versions of the interface and of the job folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import BackendVersionError
from ..messages import Message
from ..version import VERSION

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
