"""Text in a layout, which Blender does not break into lines."""

from __future__ import annotations

import textwrap

import bpy

PIXELS_A_LETTER = 6.2
"""On the average, of Blender's own font at the default size."""


def sentence(text: str) -> str:
    """``text`` as Blender's own messages begin: with a capital letter."""
    return text[:1].upper() + text[1:]


def letters_in(context: bpy.types.Context) -> int:
    """How many letters a line has room for beside an icon, in the region that is drawn."""
    scale = context.preferences.system.ui_scale or 1.0
    width = context.region.width if context.region else 300
    return max(int((width / scale - 80) / PIXELS_A_LETTER), 10)


def draw_text(
    layout: bpy.types.UILayout, text: str, icon: str = "NONE", width: int = 60, most: int = 12, capital: bool = True
) -> None:
    """Draw ``text`` in lines of ``width`` characters, at most ``most`` of them, the icon before the first."""
    shown = sentence(text) if capital else text
    lines = [part for line in shown.splitlines() for part in textwrap.wrap(line, width, break_on_hyphens=False) or [""]]
    column = layout.column(align=True)
    column.scale_y = 0.8
    for index, line in enumerate(lines[:most]):
        last = index == most - 1 and len(lines) > most
        column.label(text=f"{line} ..." if last else line, icon=icon if index == 0 else "BLANK1")
