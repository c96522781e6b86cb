"""Some of a job's frames: those of a range, or one of several equal parts, as the machines of a farm share them."""

from __future__ import annotations

from collections.abc import Sequence

from warpnoise.errors import SettingsError


def frames_between(frames: Sequence[int], start: int, end: int) -> list[int]:
    """The frames from ``start`` to ``end``, both included.

    Raises:
        SettingsError: the range is empty, reaches beyond the job's frames, or lies between two of them.
    """
    first, last = frames[0], frames[-1]
    if end < start:
        raise SettingsError(f"frames {start}:{end}: the range is empty, it ends before its start")
    if start < first or end > last:
        raise SettingsError(f"frames {start}:{end}: the job has the frames {first} to {last}")
    chosen = [frame for frame in frames if start <= frame <= end]
    if not chosen:
        raise SettingsError(f"frames {start}:{end}: the job has none of them, its frame step is {frames[1] - first}")
    return chosen


def chunk_of(frames: Sequence[int], number: int, count: int) -> list[int]:
    """Part ``number`` (from 1) of ``count`` equal parts, in order; sizes differ by one at most.

    Every frame is in exactly one part. With more parts than frames some are empty.

    Raises:
        SettingsError: there is no part of that number.
    """
    if count < 1 or not 1 <= number <= count:
        raise SettingsError(f"chunk {number}/{count}: expected a number from 1 to the count, as in 3/10")
    return list(frames[len(frames) * (number - 1) // count : len(frames) * number // count])
