"""Settings that change over the shot: a table of keys, with linear values between them and constant ones outside."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from itertools import pairwise

from pydantic import field_validator, model_validator

from warpnoise.media.validation import StrictModel, setting

PROMPTS = ("prompt", "negative_prompt")
"""The settings that are texts."""
_NUMBERS = ("strength", "guidance", "texture")
_LISTS = ("loras", "controls", "ip_adapters")
_PATH = re.compile(rf"({'|'.join((*PROMPTS, *_NUMBERS))})|({'|'.join(_LISTS)})\[(\d{{1,3}})\]\.weight")
_LAST_FRAME = 1_048_574


class Key(StrictModel):
    """The value of one setting at one frame. ``data_path``: as in ``strength`` or ``loras[0].weight``."""

    data_path: str = setting(
        ..., "Data Path", "The setting's name, or loras[0].weight, controls[0].weight, ip_adapters[0].weight"
    )
    frame: int = setting(..., "Frame", "The frame's number", ge=-_LAST_FRAME, le=_LAST_FRAME)
    value: float | str = setting(..., "Value", "A number, or a text for a prompt")

    @field_validator("data_path")
    @classmethod
    def _is_a_path(cls, path: str) -> str:
        if _PATH.fullmatch(path) is None:
            raise ValueError(
                f"{path[:60]!r} cannot change over the shot; expected {', '.join((*PROMPTS, *_NUMBERS))}, or the "
                "weight of an item as in loras[0].weight"
            )
        return path

    @model_validator(mode="after")
    def _value_is_of_the_setting_s_kind(self) -> Key:
        if isinstance(self.value, str) != (self.data_path in PROMPTS):
            kind = "a text" if self.data_path in PROMPTS else "a number"
            raise ValueError(f"value of {self.data_path}: expected {kind}")
        return self

    @staticmethod
    def place(path: str) -> tuple[str, int | None]:
        """(setting, index of the item whose weight it is; None: the setting itself)."""
        match = _PATH.fullmatch(path)
        if match is None:
            raise ValueError(path)
        return (match[1], None) if match[1] else (match[2], int(match[3]))


Curves = dict[str, list[tuple[int, float | str]]]
"""For each data path its keys in order: (frame, value)."""


def curves_of(keys: Iterable[Key]) -> Curves:
    """The keys, in any order, as curves. Raises ValueError: two keys of one setting at one frame."""
    curves: Curves = {}
    for key in keys:
        curves.setdefault(key.data_path, []).append((key.frame, key.value))
    for path, curve in curves.items():
        curve.sort(key=lambda key: key[0])
        twice = next((a[0] for a, b in pairwise(curve) if a[0] == b[0]), None)
        if twice is not None:
            raise ValueError(f"animation: {path} has two values at frame {twice}")
    return curves


def numbers_in(curves: Curves) -> dict[str, list[float]]:
    """The values of all keys of the settings that are numbers."""
    return {path: [float(value) for _, value in curve] for path, curve in curves.items() if path not in PROMPTS}


def values_at(curves: Curves, frame: int) -> tuple[dict[str, float], dict[str, tuple[str, str, float]]]:
    """The numbers by their paths, and for each prompt the text before, the text after and the latter's share."""
    numbers: dict[str, float] = {}
    blends: dict[str, tuple[str, str, float]] = {}
    for path, curve in curves.items():
        after = bisect_right(curve, frame, key=lambda key: key[0])
        (first, a), (second, b) = curve[max(after - 1, 0)], curve[min(after, len(curve) - 1)]
        share = (frame - first) / (second - first) if second > first and frame > first else 0.0
        if isinstance(a, str) or isinstance(b, str):
            blends[path] = (str(a), str(b), 0.0 if a == b else share)
        else:
            numbers[path] = a + (b - a) * share
    return numbers, blends
