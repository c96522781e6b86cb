"""``styles.json``: what a diffusers folder cannot say: names of styles, and which settings suit the model.

    {"styles": ["photoreal", "ink"], "null_class": 2, "guidance": 1.5, "strength": 0.5, "size_multiple": 8}

It lies beside ``model_index.json``; every key may be left out. Class label i is the style ``styles[i]``. Guidance,
steps, texture and strength may differ by style: ``"guidance": {"photoreal": 1.5, "ink": 3}``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from warpnoise.errors import ModelError
from warpnoise.media.json_file import read_json
from warpnoise.sdedit.model_bounds import LARGEST_CONFIG, MOST_CLASSES

FILE_NAME = "styles.json"
_MOST = {"guidance": 1000, "steps": 10_000, "texture": 1, "strength": 1, "size_multiple": 4096}
"""The largest values."""


@dataclass(frozen=True)
class StyleSheet:
    """The entries of ``styles.json``.

    ``styles``: names in the order of the class labels. ``null_class``: the label that stands for no class, which
    classifier-free guidance needs (Ho & Salimans 2022). ``guidance``: the scale used where the settings give none, by
    style, or for all of them; None: the family's. ``steps``: likewise, of the whole schedule. ``texture``: likewise,
    how much texture is put on the frames, 0 to 1. ``strength``: the one that suits the model or its styles, for user
    interfaces. ``size_multiple``: images are padded to a multiple of it, in pixels; None: what the network's depth asks
    for.
    """

    styles: tuple[str, ...] = ()
    null_class: int | None = None
    guidance: float | dict[str, float] | None = None
    steps: int | dict[str, int] | None = None
    texture: float | dict[str, float] = 0.0
    strength: float | dict[str, float] | None = None
    size_multiple: int | None = None


def read_styles(path: Path, classes: int | None) -> StyleSheet:
    """Read and check ``styles.json``; a missing file gives the labels' numbers as names.

    Args:
        path: of the file.
        classes: how many class embeddings the model has; None: it is not class-conditional.

    Raises:
        ModelError: not JSON, a key that is not known, a value of the wrong kind or out of range.
    """
    if not path.is_file():
        return StyleSheet(styles=tuple(str(label) for label in range(classes or 0)))
    entries = read_json(path, error=ModelError, advice="Write it again or delete it.", largest=LARGEST_CONFIG)
    if not isinstance(entries, dict):
        raise ModelError(f"{path}: expected an object with the key 'styles', got {type(entries).__name__}")
    known = StyleSheet.__dataclass_fields__
    if unknown := sorted(set(entries) - set(known)):
        raise ModelError(f"{path}: unknown key {unknown[0][:60]!r}: the keys are {', '.join(known)}")
    styles = _names(path, entries.get("styles", []))
    sheet = StyleSheet(
        styles=styles,
        null_class=_number(path, entries, "null_class", int, 0, None),
        guidance=_by_style(path, entries, "guidance", styles, float, 0, None),
        steps=_by_style(path, entries, "steps", styles, int, 1, None),
        texture=_by_style(path, entries, "texture", styles, float, 0, 0.0),
        strength=_by_style(path, entries, "strength", styles, float, 0, None),
        size_multiple=_number(path, entries, "size_multiple", int, 1, None, _MOST["size_multiple"]),
    )
    _check_classes(path, sheet, classes)
    return sheet


def _names(path: Path, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        raise ModelError(f"{path}: 'styles' must be a list of names, got {str(value)[:80]}")
    if len(set(value)) != len(value):
        raise ModelError(f"{path}: 'styles' names one style twice: {str(value)[:300]}")
    return tuple(value)


def _by_style(
    path: Path,
    entries: dict[str, Any],
    key: str,
    styles: tuple[str, ...],
    kind: type,
    least: int,
    default: float | None,
) -> Any:
    value = entries.get(key)
    if not isinstance(value, dict):
        return _number(path, entries, key, kind, least, default, _MOST[key])
    if not styles or set(value) != set(styles):
        raise ModelError(
            f"{path}: {key!r} names {', '.join(value)[:300] or 'no style'}: expected each of the styles once "
            f"({', '.join(styles)[:300] or 'there are none'}), or one number for all"
        )
    return {style: _number(path, value, style, kind, least, default, _MOST[key]) for style in styles}


def _number(
    path: Path, entries: dict[str, Any], key: str, kind: type, least: int, default: Any, most: int = MOST_CLASSES
) -> Any:
    value = entries.get(key)
    if value is None:
        return default
    allowed = (int,) if kind is int else (int, float)
    if isinstance(value, bool) or not isinstance(value, allowed) or not least <= value <= most:
        raise ModelError(
            f"{path}: {key!r} must be a number of at least {least} and at most {most} ({kind.__name__}), got "
            f"{str(value)[:40]}"
        )
    return kind(value)


def _check_classes(path: Path, sheet: StyleSheet, classes: int | None) -> None:
    if classes is None:
        if sheet.styles or sheet.null_class is not None:
            raise ModelError(f"{path} names styles, but the model has no class embedding (num_class_embeds)")
        return
    if not sheet.styles:
        raise ModelError(f"{path}: 'styles' is missing or empty, the model has {classes} classes: name them in order")
    if len(sheet.styles) > classes:
        raise ModelError(f"{path}: {len(sheet.styles)} styles, but the model has {classes} classes")
    if sheet.null_class is not None and not len(sheet.styles) <= sheet.null_class < classes:
        raise ModelError(
            f"{path}: 'null_class' is {sheet.null_class}: expected a label after the {len(sheet.styles)} styles "
            f"and below the model's {classes} classes"
        )
