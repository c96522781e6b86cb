"""The add-on in other languages: Blender chooses by its preferences. A language is a JSON file, from
English to its texts, named as Blender names the language.

Labels, names and descriptions are translated by Blender, texts with values by `ui.texts`. What the backend and the
command line say is English.
"""

from __future__ import annotations

import json
from pathlib import Path

import bpy

LANGUAGES: dict[str, dict[str, str]] = {
    path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(Path(__file__).parent.glob("*.json"))
}
CONTEXTS = ("*", "Operator")
"""Blender looks for the labels of operators in a context of their own."""
_OWNER = __package__


def register() -> None:
    bpy.app.translations.register(
        _OWNER,
        {
            language: {(context, text): translated for context in CONTEXTS for text, translated in texts.items()}
            for language, texts in LANGUAGES.items()
        },
    )


def unregister() -> None:
    bpy.app.translations.unregister(_OWNER)
