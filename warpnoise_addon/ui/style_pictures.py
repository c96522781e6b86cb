"""Small pictures of what the default model's styles look like; they come with the add-on.

`training/style_pictures.py` makes them.
"""

from __future__ import annotations

from pathlib import Path

import bpy.utils.previews

FOLDER = Path(__file__).resolve().parents[1] / "pictures" / "styles"
STYLES = ("photoreal", "oil", "ink", "watercolour")
"""In the model's order: the first is what it does if none is named."""
_collection: bpy.utils.previews.ImagePreviewCollection | None = None


def icon(style: str) -> int:
    """The style's picture as an icon, or 0."""
    return _collection[style].icon_id if _collection is not None and style in _collection else 0


def register() -> None:
    global _collection
    _collection = bpy.utils.previews.new()
    for style in STYLES:
        _collection.load(style, str(FOLDER / f"{style}.png"), "IMAGE")


def unregister() -> None:
    global _collection
    if _collection is not None:
        bpy.utils.previews.remove(_collection)
    _collection = None
