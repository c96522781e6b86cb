"""Pictures in the panel, which are no data-blocks: nothing of them is in the file.

The newest frame; and what the default model's styles look like, small pictures that come with the add-on
(`training/style_pictures.py` makes them).
"""

from __future__ import annotations

import time
from pathlib import Path

import bpy.utils.previews

STYLES_FOLDER = Path(__file__).resolve().parents[1] / "pictures" / "styles"
STYLES = ("photoreal", "oil", "ink", "watercolour")
"""In the model's order: the first is what it does if none is named."""
EVERY_SECONDS = 1.5
_NEWEST = "newest frame"
_collection: bpy.utils.previews.ImagePreviewCollection | None = None
_shown: Path | None = None
_shown_at = 0.0


def style_icon(style: str) -> int:
    """The style's picture as an icon, or 0."""
    return _icon(style) if style in STYLES else 0


def newest_icon() -> int:
    """The newest frame as an icon, or 0."""
    return _icon(_NEWEST)


def show_newest(path: Path | None, now: bool = False) -> None:
    """Make ``path`` the newest frame, if it is another one than before and it is there.

    Blender loads it in the background and shows a wheel meanwhile, so pictures that follow closely are left out, unless
    it is wanted ``now``.
    """
    global _shown, _shown_at
    if _collection is None or path is None or path == _shown or not path.is_file():
        return
    if not now and time.monotonic() - _shown_at < EVERY_SECONDS:
        return
    clear_newest()  # a name is loaded once only, and a frame may be stylized again
    _collection.load(_NEWEST, str(path), "IMAGE", force_reload=True)
    _shown, _shown_at = path, time.monotonic()


def clear_newest() -> None:
    """Show no frame."""
    global _shown
    _shown = None
    if _collection is not None and _NEWEST in _collection:
        del _collection[_NEWEST]


def _icon(name: str) -> int:
    return _collection[name].icon_id if _collection is not None and name in _collection else 0


def register() -> None:
    global _collection
    _collection = bpy.utils.previews.new()
    for style in STYLES:
        _collection.load(style, str(STYLES_FOLDER / f"{style}.png"), "IMAGE")


def unregister() -> None:
    global _collection, _shown
    if _collection is not None:
        bpy.utils.previews.remove(_collection)
    _collection, _shown = None, None
