"""The newest frame as a picture in the panel. It is no data-block: nothing of it is in the file."""

from __future__ import annotations

import time
from pathlib import Path

import bpy.utils.previews

_collection: bpy.utils.previews.ImagePreviewCollection | None = None
_shown: Path | None = None
_shown_at = 0.0
EVERY_SECONDS = 1.5


def show(path: Path | None, now: bool = False) -> None:
    """Make ``path`` the picture, if it is another one than before and it is there.

    Blender loads it in the background and shows a wheel meanwhile, so pictures that follow closely are left out, unless
    it is wanted ``now``.
    """
    global _shown, _shown_at
    if _collection is None or path is None or path == _shown or not path.is_file():
        return
    if not now and time.monotonic() - _shown_at < EVERY_SECONDS:
        return
    # A name is loaded once only, and a frame may be stylized again: start anew.
    _collection.clear()
    _collection.load("newest", str(path), "IMAGE", force_reload=True)
    _shown, _shown_at = path, time.monotonic()


def icon() -> int:
    """The picture as an icon, or 0."""
    if _collection is None or "newest" not in _collection:
        return 0
    return _collection["newest"].icon_id


def clear() -> None:
    """Show none."""
    global _shown
    _shown = None
    if _collection is not None:
        _collection.clear()


def register() -> None:
    global _collection
    _collection = bpy.utils.previews.new()


def unregister() -> None:
    global _collection, _shown
    if _collection is not None:
        bpy.utils.previews.remove(_collection)
    _collection, _shown = None, None
