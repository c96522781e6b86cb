"""``styles.json``: the names of a model's styles, and the settings that suit it, which a diffusers folder cannot hold.

    {"styles": ["photoreal", "ink"], "null_class": 2, "guidance": 1.5, "strength": 0.5, "size_multiple": 8}

It lies beside ``model_index.json``; every key may be left out. Class label i is the style ``styles[i]``. Guidance,
steps, texture and strength may differ by style: ``"guidance": {"photoreal": 1.5, "ink": 3}``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from warpnoise.errors import ModelError
from warpnoise.media.json_file import read_object
from warpnoise.media.validation import StrictModel, validated
from warpnoise.sdedit.model_files import LARGEST_CONFIG, MOST_CLASSES

FILE_NAME = "styles.json"

_Name = Annotated[str, Field(min_length=1)]
_Guidance = Annotated[float, Field(ge=0, le=1000)]
_Steps = Annotated[int, Field(ge=1, le=10_000)]
_Share = Annotated[float, Field(ge=0, le=1)]


class StyleSheet(StrictModel):
    """The entries of ``styles.json``.

    ``styles``: names in the order of the class labels. ``null_class``: the label that stands for no class, which
    classifier-free guidance needs (Ho & Salimans 2022). ``guidance``: the scale used where the settings give none, by
    style, or for all of them; None: the family's. ``steps``: likewise, of the whole schedule. ``texture``: likewise,
    how much texture is put on the frames, 0 to 1. ``strength``: the one that suits the model or its styles, for user
    interfaces. ``size_multiple``: images are padded to a multiple of it, in pixels; None: what the network's depth asks
    for.
    """

    styles: tuple[_Name, ...] = ()
    null_class: Annotated[int, Field(ge=0, le=MOST_CLASSES)] | None = None
    guidance: _Guidance | dict[str, _Guidance] | None = None
    steps: _Steps | dict[str, _Steps] | None = None
    texture: _Share | dict[str, _Share] = 0.0
    strength: _Share | dict[str, _Share] | None = None
    size_multiple: Annotated[int, Field(ge=1, le=4096)] | None = None

    @model_validator(mode="after")
    def _names_each_style_once(self) -> StyleSheet:
        if len(set(self.styles)) != len(self.styles):
            raise ValueError("styles: one style is named twice")
        for key in ("guidance", "steps", "texture", "strength"):
            value = getattr(self, key)
            if isinstance(value, dict) and (not self.styles or set(value) != set(self.styles)):
                raise ValueError(
                    f"{key} names {', '.join(value)[:100] or 'no style'}; expected each of the styles once "
                    f"({', '.join(self.styles)[:100] or 'there are none'}), or one number for all"
                )
        return self


def read_styles(path: Path, classes: int | None) -> StyleSheet:
    """Read and check ``styles.json``. Without the file, the names of styles are the labels' numbers.

    Args:
        path: of the file.
        classes: how many class embeddings the model has; None: it is not class-conditional.

    Raises:
        ModelError: not JSON, a key that is not known, a value of the wrong kind or out of range.
    """
    if not path.is_file():
        return StyleSheet(styles=tuple(str(label) for label in range(classes or 0)))
    content = read_object(path, error=ModelError, advice="Write it again or delete it.", largest=LARGEST_CONFIG)
    sheet = validated(StyleSheet, content, str(path), ModelError)
    _check_classes(path, sheet, classes)
    return sheet


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
