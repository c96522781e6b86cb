"""Every error that the add-on raises on purpose, and its messages, which can be translated. Imports no bpy.

A message says what is wrong (expected and got) and what to do. It keeps its English template, with values in braces:
``SettingsError("there is no scene {name}", name=name)``.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar


class Message(str):
    """An English sentence, made of ``template`` and the ``values`` in its braces.

    Without values, braces are ordinary characters. A list among the values is joined with commas.
    """

    template: str
    values: Mapping[str, object]

    def __new__(cls, template: str, **values: object) -> Message:
        values = {name: str(value) if isinstance(value, Exception) else value for name, value in values.items()}
        message = super().__new__(cls, _filled(template, values, str))
        message.template, message.values = template, values
        return message

    def __str__(self) -> str:
        return self  # str() of an error keeps the template

    def translated(self, translate: Callable[[str], str]) -> str:
        """The sentence in another language; messages among the values, too."""
        return _filled(translate(self.template), self.values, translate)


def from_backend(text: str) -> Message:
    """A text of the backend, which is English: in another language the message says that it is the backend's."""
    return Message("{backend_text}", backend_text=text)


class MessageError(Exception):
    """An error with a message of a template and its values, if it has any."""

    def __init__(self, template: str, **values: object) -> None:
        super().__init__(Message(template, **values) if values else template)


def _filled(template: str, values: Mapping[str, object], translate: Callable[[str], str]) -> str:
    return template.format(**{name: _shown(value, translate) for name, value in values.items()}) if values else template


def _shown(value: object, translate: Callable[[str], str]) -> object:
    if isinstance(value, (list, tuple)):
        return ", ".join(str(_shown(item, translate)) for item in value)
    return value.translated(translate) if isinstance(value, Message) else value


def pack(texts: Iterable[str]) -> dict[str, Any]:
    """Of each message with values: its template and values, those within it too, for a line of JSON."""
    return {text: _packed(text) for text in texts if isinstance(text, Message) and text.values}


def unpack(text: str, packed: Mapping[str, Any]) -> str:
    """The message that ``pack`` packed; other texts as they are."""
    return str(_unpacked(packed[text])) if text in packed else text


def _packed(value: object) -> object:
    if isinstance(value, Message):
        return {"template": value.template, "values": {name: _packed(each) for name, each in value.values.items()}}
    if isinstance(value, (list, tuple)):
        return [_packed(each) for each in value]
    return value if isinstance(value, (int, float, str)) else str(value)


def _unpacked(value: object) -> object:
    if isinstance(value, dict):
        return Message(value["template"], **{name: _unpacked(each) for name, each in value["values"].items()})
    return [_unpacked(each) for each in value] if isinstance(value, list) else value


class WarpnoiseError(MessageError):
    """The base of all of them. ``exit_status`` is the command's (docs/architecture.md, "Errors, exit codes")."""

    exit_status = 1


class SettingsError(WarpnoiseError):
    """A setting or an argument is out of its range."""

    exit_status = 2


class ExportError(WarpnoiseError):
    """The scene, or its frames, cannot be made into a job folder."""

    exit_status = 3


class JobFolderError(WarpnoiseError):
    """It is not a job folder, or it cannot be read or written."""

    exit_status = 3


class BackendError(WarpnoiseError):
    """The backend process failed."""

    exit_status = 6


class BackendMissingError(BackendError):
    """There is no Python with the `warpnoise` package, or it does not start."""


class BackendVersionError(BackendError):
    """The backend is too old or too new for this add-on."""


class BackendDiedError(BackendError):
    """The backend ended in the middle."""


class BackendHungError(BackendError):
    """The backend does not answer any more."""


class JobError(WarpnoiseError):
    """The backend cannot do a job. ``code``: its kind of error, which decides the exit status as it does there."""

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
    """The user asked to stop. What was finished stays."""

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
