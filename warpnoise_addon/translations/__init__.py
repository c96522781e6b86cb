"""Translations of the add-on. Blender chooses the language by its preferences.

A language is a JSON file that maps English texts to its own, and is named as Blender names the language. Blender
translates labels, names and descriptions; `ui.texts` translates texts with values. Texts of the command line are in
English.
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
