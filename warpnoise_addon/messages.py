"""Messages with values. They keep their English template, so the interface can translate them. Imports no bpy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any


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
