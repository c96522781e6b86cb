"""Animated settings: reads F-Curves of the scene's settings, and markers that hold prompts."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import bpy

from .. import compat
from ..errors import SettingsError
from ..settings import SETTINGS, Setting, Settings

_PREFIX = "warpnoise."
_ITEM = re.compile(r"(\w+)\[(\d+)\]\.(\w+)")
_MARKER = re.compile(r"(negative[ _])?prompt:\s*(.*)", re.IGNORECASE | re.DOTALL)


def animated_settings(
    settings: Settings, scene: bpy.types.Scene, frames: Sequence[int], overridden: Collection[str] = ()
) -> dict[str, Any]:
    """The settings with ``animation``, the table of their values over the shot.

    F-Curves of the scene's action are read at each of ``frames``; drivers and NLA strips are not. A marker named
    ``prompt: ...`` or ``negative prompt: ...`` holds a prompt, or the name of a text in the Text Editor that does. What
    is animated begins with its first value, wherever Blender's current frame is.

    Args:
        overridden: settings that an argument sets: those are not animated. ``animation``: none is.

    Raises:
        SettingsError: two markers with a prompt at one frame.
    """
    found = dict(settings)
    if "animation" in overridden or not frames:
        return found
    rows = [
        row for row in [*_curve_rows(settings, scene, frames), *_marker_rows(scene)] if _name(row) not in overridden
    ]
    for row in sorted(rows, key=lambda row: -row["frame"]):  # the first value is set last
        _set(found, row["data_path"], row["value"])
    found["animation"] = rows
    return found


def _curve_rows(settings: Settings, scene: bpy.types.Scene, frames: Sequence[int]) -> Iterator[dict[str, Any]]:
    for curve in compat.action_curves(scene.animation_data) if scene.animation_data is not None else ():
        path = curve.data_path.removeprefix(_PREFIX)
        setting = _animated(settings, path) if curve.data_path.startswith(_PREFIX) and not curve.mute else None
        if setting is None:
            continue
        least = setting.hints.get("min", setting.least)
        values = [round(min(max(curve.evaluate(frame), least), setting.most), 6) for frame in frames]
        for index, (frame, value) in enumerate(zip(frames, values, strict=True)):
            if index in (0, len(frames) - 1) or not values[index - 1] == value == values[index + 1]:
                yield {"data_path": path, "frame": frame, "value": value}


def _animated(settings: Settings, path: str) -> Setting | None:
    """The setting at a data path, if it may change over the shot and is not left to the model."""
    item = _ITEM.fullmatch(path)
    if item is None:
        setting = SETTINGS.get(path)
        chosen = settings.get(path) is not None
    else:
        name, index, key = item[1], int(item[2]), item[3]
        setting = SETTINGS[name].items.get(key) if name in SETTINGS else None
        chosen = setting is not None and index < len(settings[name])
    return setting if chosen and setting is not None and setting.hints.get("animatable") else None


def _marker_rows(scene: bpy.types.Scene) -> Iterator[dict[str, Any]]:
    seen: set[tuple[str, int]] = set()
    for marker in sorted(scene.timeline_markers, key=lambda marker: marker.frame):
        match = _MARKER.fullmatch(marker.name)
        if match is None:
            continue
        path = "negative_prompt" if match[1] else "prompt"
        if (path, marker.frame) in seen:
            raise SettingsError("frame {frame} has two markers with a prompt: expected one", frame=marker.frame)
        seen.add((path, marker.frame))
        text = bpy.data.texts.get(match[2].strip())
        value = match[2].strip() if text is None else text.as_string().strip()
        yield {"data_path": path, "frame": marker.frame, "value": value}


def _name(row: dict[str, Any]) -> str:
    return str(row["data_path"]).partition("[")[0]


def _set(settings: dict[str, Any], path: str, value: Any) -> None:
    item = _ITEM.fullmatch(path)
    if item is None:
        settings[path] = value
    else:
        items = [dict(each) for each in settings[item[1]]]
        items[int(item[2])][item[3]] = value
        settings[item[1]] = items
