"""Frame ranges in the notations of farms and of Blender. Imports no bpy.

    1-24   1:24   1-9:2   1-9x2   7,9,20   -3--1   1-9:2,20,30-40

The backend has a separate parser for the same notations. ``tests/fixtures/frame_ranges.json`` tests both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from .errors import SettingsError

FRAME_LIMIT = 1_048_574
"""Blender's largest frame number; the smallest is its negative."""
_PART = re.compile(r"(-?\d{1,9})(?:[-:](-?\d{1,9})(?:[:x](\d{1,9}))?)?", re.ASCII)


def parse_frames(text: str) -> list[int]:
    """The frame numbers that ``text`` lists, in order, each once.

    Raises SettingsError: a part is no frame and no range, is empty, or lies outside Blender's frame range.
    """
    chosen: set[int] = set()
    listed = 0
    for part in (part.strip() for part in text.split(",")):
        match = _PART.fullmatch(part)
        if match is None:
            raise SettingsError("frames: {part!r} is neither a frame like 7 nor a range like 1-24 or 1-24:2", part=part)
        start, end, step = int(match[1]), int(match[2] or match[1]), int(match[3] or 1)
        if step < 1:
            raise SettingsError("frames: {part!r} has the step {step}: expected 1 or more", part=part, step=step)
        if end < start:
            raise SettingsError("frames: {part!r} is empty: it ends before its start", part=part)
        if start < -FRAME_LIMIT or end > FRAME_LIMIT:
            raise SettingsError(
                "frames: {part!r} is outside Blender's frame range, {first} to {last}",
                part=part,
                first=-FRAME_LIMIT,
                last=FRAME_LIMIT,
            )
        numbers = range(start, end + 1, step)
        listed += len(numbers)
        if listed > 2 * FRAME_LIMIT + 1:
            raise SettingsError(
                "frames: with {part!r} the list has more frames than Blender. List each frame once", part=part
            )
        chosen.update(numbers)
    return sorted(chosen)


def parse_shot(text: str) -> range:
    """What `parse_frames` takes, as long as it has one step: ``7``, ``1-24``, ``1-9:2``.

    Raises SettingsError: as `parse_frames`, or the steps between the frames differ.
    """
    numbers = parse_frames(text)
    step = numbers[1] - numbers[0] if len(numbers) > 1 else 1
    frames = range(numbers[0], numbers[-1] + 1, step)
    if list(frames) != numbers:
        raise SettingsError(
            "frames: {text!r} does not have one frame step. Give the shot's whole range, such as "
            "{first}-{last}, and choose frames of it with --only",
            text=text,
            first=numbers[0],
            last=numbers[-1],
        )
    return frames


def parse_chunk(text: str, frames: range) -> range:
    """``3/10``: the third of ten equal parts of ``frames``; empty where there are more parts than frames.

    Raises SettingsError: something else, or no part of that number.
    """
    match = re.fullmatch(r"(\d+)/(\d+)", text.strip())
    if match is None:
        raise SettingsError("chunk: expected K/N like 3/10, got {text!r}", text=text)
    number, count = int(match[1]), int(match[2])
    if not 1 <= number <= count:
        raise SettingsError(
            "chunk {number}/{count}: expected a number from 1 to the count, as in 3/10", number=number, count=count
        )
    return frames[len(frames) * (number - 1) // count : len(frames) * number // count]


def frames_text(frames: Iterable[int], most: int | None = None) -> str:
    """The shortest text for ascending frame numbers that ``parse_frames`` takes: ``1-9:2,20``.

    Args:
        most: for messages: ``...`` replaces the parts after so many.
    """
    numbers, parts, at = list(frames), list[str](), 0
    while at < len(numbers):
        if len(parts) == most:
            parts.append("...")
            break
        left = len(numbers) - at
        step = numbers[at + 1] - numbers[at] if left > 1 else 1
        length = next((i for i in range(1, left) if numbers[at + i] != numbers[at] + i * step), left)
        length = length if length > 2 or step == 1 else 1  # two frames are a range only where they are neighbours
        first, last = numbers[at], numbers[at + length - 1]
        parts.append(str(first) if length == 1 else f"{first}-{last}" + (f":{step}" if step > 1 else ""))
        at += length
    return ",".join(parts)


def frame_name(frame: int) -> str:
    """A frame's file name without its suffix: four digits or more, a minus sign before negative ones."""
    return f"{'-' if frame < 0 else ''}{abs(frame):04d}"


def shot_file(kind: str, frame: int) -> str:
    """The file of a frame's "color" or "passes" in a job folder: ``color/0001.png``."""
    return f"{kind}/{frame_name(frame)}.{'exr' if kind == 'passes' else 'png'}"
