"""File names of frames."""

from __future__ import annotations


def frame_name(frame: int) -> str:
    """A frame's file name without its suffix: four digits or more, a minus sign before negative ones."""
    return f"{'-' if frame < 0 else ''}{abs(frame):04d}"
