"""Frame ranges in the notations of farms and of Blender, and the frames of a shot that they select.

    1-24   1:24   1-9:2   1-9x2   7,9,20   -3--1   1-9:2,20,30-40   ALL

The add-on has a separate parser for the same notations. ``tests/fixtures/frame_ranges.json`` tests both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TypeVar

from warpnoise.errors import SettingsError

T = TypeVar("T")

FRAME_LIMIT = 1_048_574
"""Blender's largest frame number; the smallest is its negative."""
_PART = re.compile(r"(-?\d{1,9})(?:[-:](-?\d{1,9})(?:[:x](\d{1,9}))?)?", re.ASCII)


def parse_frames(text: str) -> list[int]:
    """The frame numbers that ``text`` lists, in order, each once.

    Raises:
        SettingsError: a part is no frame and no range, is empty, or lies outside Blender's frame range.
    """
    chosen: set[int] = set()
    listed = 0
    for part in (part.strip() for part in text.split(",")):
        match = _PART.fullmatch(part)
        if match is None:
            raise SettingsError(f"frames: {part!r} is neither a frame like 7 nor a range like 1-24 or 1-24:2")
        start, end, step = int(match[1]), int(match[2] or match[1]), int(match[3] or 1)
        if step < 1:
            raise SettingsError(f"frames: {part!r} has the step {step}: expected 1 or more")
        if end < start:
            raise SettingsError(f"frames: {part!r} is empty: it ends before its start")
        if start < -FRAME_LIMIT or end > FRAME_LIMIT:
            raise SettingsError(f"frames: {part!r} is outside Blender's frame range, {-FRAME_LIMIT} to {FRAME_LIMIT}")
        numbers = range(start, end + 1, step)
        listed += len(numbers)
        if listed > 2 * FRAME_LIMIT + 1:
            raise SettingsError(f"frames: with {part!r} the list has more frames than Blender. List each frame once")
        chosen.update(numbers)
    return sorted(chosen)


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


def select_frames(frames: Sequence[int], text: str) -> list[int]:
    """Those of a shot's ``frames`` that ``text`` lists; ``ALL``: all of them.

    Numbers between the shot's frames are passed over: ``1-24`` of a shot with a frame step of 2 is its every frame.

    Raises:
        SettingsError: as ``parse_frames``; a number before the shot's first or after its last frame; none is a frame
            of the shot.
    """
    if text.strip().upper() == "ALL":
        return list(frames)
    wanted = parse_frames(text)
    outside = [number for number in wanted if not frames[0] <= number <= frames[-1]]
    if outside:
        raise SettingsError(
            f"frames: the shot has no frame {frames_text(outside, 10)}; it has {frames_text(frames, 10)}"
        )
    present = set(frames)
    chosen = [number for number in wanted if number in present]
    if not chosen:
        raise SettingsError(f"frames: the shot has none of {frames_text(wanted, 10)}; it has {frames_text(frames, 10)}")
    return chosen


def chunk_of(frames: Sequence[T], number: int, count: int) -> list[T]:
    """Part ``number`` (from 1) of ``count`` equal parts of frames, or segments, in order; sizes differ by one at most.

    Each is in exactly one part. With more parts than frames some are empty.

    Raises:
        SettingsError: there is no part of that number.
    """
    if count < 1 or not 1 <= number <= count:
        raise SettingsError(f"chunk {number}/{count}: expected a number from 1 to the count, as in 3/10")
    return list(frames[len(frames) * (number - 1) // count : len(frames) * number // count])


def frame_name(frame: int) -> str:
    """The frame number as file names have it: four digits or more, a minus sign before negative ones."""
    return f"{'-' if frame < 0 else ''}{abs(frame):04d}"
