"""Text in a layout, which Blender does not wrap, and its translation.

Blender translates labels and names by itself. Texts with values are translated here, before the values are inserted.
"""

from __future__ import annotations

import textwrap
from typing import Any

import bpy

from ..errors import Message

PIXELS_A_LETTER = 6.2
"""On the average, of Blender's own font at the default size."""


def iface(text: str, **values: object) -> str:
    """``text`` in the language of the interface, with ``values`` in its braces; a `Message` has its own."""
    message = text if isinstance(text, Message) else Message(text, **values)
    return message.translated(bpy.app.translations.pgettext_iface)


def sentence(text: str, **values: object) -> str:
    """``text`` in the language of reports, as Blender's own begin: with a capital letter."""
    message = text if isinstance(text, Message) else Message(text, **values)
    shown = message.translated(bpy.app.translations.pgettext_rpt)
    return shown[:1].upper() + shown[1:]


def letters_in(context: bpy.types.Context) -> int:
    """The number of letters that fit on a line beside an icon, in the region that is drawn."""
    scale = context.preferences.system.ui_scale or 1.0
    width = context.region.width if context.region else 300
    return max(int((width / scale - 80) / PIXELS_A_LETTER), 10)


def draw_text(
    layout: bpy.types.UILayout, text: str, icon: Any = "NONE", width: int = 60, most: int = 12, capital: bool = True
) -> None:
    """Draw ``text``, translated, in at most ``most`` lines of ``width`` characters, the icon before the first."""
    shown = sentence(text) if capital else iface(text)
    lines = [part for line in shown.splitlines() for part in textwrap.wrap(line, width, break_on_hyphens=False) or [""]]
    column = layout.column(align=True)
    column.scale_y = 0.8
    for index, line in enumerate(lines[:most]):
        last = index == most - 1 and len(lines) > most
        column.label(text=f"{line} ..." if last else line, icon=icon if index == 0 else "BLANK1", translate=False)
