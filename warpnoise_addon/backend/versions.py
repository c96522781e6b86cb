"""Whether this add-on and that backend fit: the interface's number decides, the job folder's schema too."""

from __future__ import annotations

from ..errors import BackendVersionError
from ..messages import Message
from ..version import VERSION

INTERFACE = 2
"""The HTTP interface that this add-on speaks."""
JOB_SCHEMA = 2
"""The schema of the job folders that this add-on writes."""


def check_interface(interface: object, version: object, update_hint: str) -> None:
    """Compare a backend's interface with ours.

    Args:
        interface: the number in the ready line or the status.
        version: the backend's version, for the message.
        update_hint: the command that updates the backend.

    Raises:
        BackendVersionError: too old or too new.
    """
    _compare(Message("the interface"), interface, INTERFACE, version, update_hint)


def check_job_schema(schema: object, version: object, update_hint: str) -> None:
    """The same for the job folder's schema."""
    _compare(Message("job folders of schema"), schema, JOB_SCHEMA, version, update_hint)


def _compare(what: str, theirs: object, ours: int, version: object, update_hint: str) -> None:
    if not isinstance(theirs, int) or isinstance(theirs, bool):
        raise BackendVersionError(
            "the server is not a Warpnoise backend that this add-on {version} knows: expected {what} {ours}, got "
            "{theirs!r}",
            version=VERSION,
            what=what,
            ours=ours,
            theirs=theirs,
        )
    if theirs < ours:
        raise BackendVersionError(
            "the backend {version} is too old for this add-on {own}: it speaks {what} {theirs}, "
            "{ours} is needed. Update it: {update_hint}",
            version=version,
            own=VERSION,
            what=what,
            theirs=theirs,
            ours=ours,
            update_hint=update_hint,
        )
    if theirs > ours:
        raise BackendVersionError(
            "the backend {version} is too new for this add-on {own}: it speaks {what} {theirs}, "
            "this add-on {ours}. Update the Warpnoise extension in Blender's preferences",
            version=version,
            own=VERSION,
            what=what,
            theirs=theirs,
            ours=ours,
        )
