"""Every error that the add-on raises on purpose.

    WarpnoiseError
    ├── SettingsError            a setting or an argument out of its range
    ├── ExportError              the scene, or its frames, cannot be made into a job folder
    ├── JobFolderError           a job folder that is not one, or that cannot be read or written
    ├── BackendError             the backend process
    │   ├── BackendMissingError  no Python with the `warpnoise` package, or it does not start
    │   ├── BackendVersionError  too old or too new for this add-on
    │   ├── BackendDiedError     it ended in the middle
    │   └── BackendHungError     it does not answer any more
    ├── JobError                 the backend answered that a job cannot be done
    └── Cancelled                the user asked to stop; what was finished stays

A message says what is wrong (expected and got) and what to do. Values stand in braces, so that it can be translated:
``SettingsError("there is no scene {name}", name=name)``.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from .messages import Message, MessageError


class WarpnoiseError(MessageError):
    """The base of all of them. ``exit_status`` is the command's (docs/architecture.md, "Errors, exit codes")."""

    exit_status = 1


class SettingsError(WarpnoiseError):
    exit_status = 2


class ExportError(WarpnoiseError):
    exit_status = 3


class JobFolderError(WarpnoiseError):
    exit_status = 3


class BackendError(WarpnoiseError):
    exit_status = 6


class BackendMissingError(BackendError):
    pass


class BackendVersionError(BackendError):
    pass


class BackendDiedError(BackendError):
    pass


class BackendHungError(BackendError):
    pass


class JobError(WarpnoiseError):
    """``code`` is the backend's word for the kind of error; it decides the exit status as it does there."""

    EXIT_STATUS: ClassVar = {
        "settings": 2,
        "request": 2,
        "job": 3,
        "job_locked": 3,
        "media": 4,
        "model": 5,
        "base": 5,
        "server": 6,
        "upload": 6,
        "too_large": 6,
        "disk_full": 6,
    }

    def __init__(self, template: str, code: str = "error", **values: object) -> None:
        super().__init__(template, **values)
        self.code = code
        self.exit_status = self.EXIT_STATUS.get(code, 1)


class Cancelled(WarpnoiseError):
    exit_status = 130


@contextlib.contextmanager
def writing(path: Path, kind: type[WarpnoiseError] = JobFolderError) -> Iterator[None]:
    """What the operating system refuses in this block is an error of ``kind`` that names ``path``."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full(path) from error
        raise kind(
            Message(
                "'{path}' cannot be written: {reason}. Choose another folder, or change its permissions.",
                path=path,
                reason=error.strerror or error,
            )
        ) from error


def disk_full(path: Path) -> JobFolderError:
    """The error that nothing more can be written to the disk of ``path``."""
    return JobFolderError(
        "The disk is full: '{target}' could not be written. Free some space and try again; finished frames are kept.",
        target=path,
    )
