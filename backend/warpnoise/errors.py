"""Every error that Warpnoise raises on purpose.

    WarpnoiseError
    ├── JobError              the job folder has a missing file, an invalid field or a wrong size
    │   └── JobLockedError    another process is working on these frames
    ├── MediaError            an EXR, PNG or movie file cannot be read or written
    ├── ModelError            a folder holds no model, or one of an unsupported family
    │   ├── MissingBaseError  a model file lacks parts, and no base is set
    │   └── HubError          a model cannot be downloaded
    ├── SettingsError         a setting is out of range, or the model does not have it
    ├── ServerError           the server cannot start, or a request names something unknown
    ├── BlenderError          Blender was not found, or failed
    └── Cancelled             the user cancelled; finished files are kept

A message says what is wrong (expected and got) and what to do. If a programmer passes arguments of a wrong shape or
type to a function, it raises the built-in ValueError or TypeError instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable


class WarpnoiseError(Exception):
    """The base of all of them. ``code`` names the kind in JSON and decides the command's exit status."""

    code = "error"
    exit_status = 1


class JobError(WarpnoiseError):
    code = "job"
    exit_status = 3


class JobLockedError(JobError):
    code = "job_locked"


class MediaError(WarpnoiseError):
    code = "media"
    exit_status = 4


class ModelError(WarpnoiseError):
    code = "model"
    exit_status = 5


class MissingBaseError(ModelError):
    """``base``: a model of the hub that has the parts; empty: none is known."""

    code = "base"

    def __init__(self, message: str, base: str = "") -> None:
        super().__init__(message)
        self.base = base


class HubError(ModelError):
    """``code``: "offline", "license" (not agreed to), "gated", "disk", "busy", or "hub" otherwise."""

    def __init__(self, message: str, code: str = "hub") -> None:
        super().__init__(message)
        self.code = code


class SettingsError(WarpnoiseError):
    code = "settings"
    exit_status = 2


class ServerError(WarpnoiseError):
    code = "server"
    exit_status = 6


class BlenderError(WarpnoiseError):
    """``exit_status``: the status of the add-on's command, if it is one of the numbers that the commands share."""

    code = "blender"

    def __init__(self, message: str, exit_status: int = 6) -> None:
        super().__init__(message)
        self.exit_status = exit_status


class Cancelled(WarpnoiseError):
    code = "cancelled"
    exit_status = 130


def stop_if(cancelled: Callable[[], bool] | None, message: str) -> None:
    """Raises Cancelled with this message if ``cancelled()`` is true."""
    if cancelled is not None and cancelled():
        raise Cancelled(message)


def first_few(items: Iterable[object], most: int = 5) -> str:
    """Items for a message: the first of them, and how many more there are."""
    texts = list(map(str, items))
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more
