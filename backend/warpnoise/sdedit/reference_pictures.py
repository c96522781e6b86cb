"""Pictures that users supply besides the render: for IP-Adapters, and for editing models."""

from __future__ import annotations

import functools
from pathlib import Path

from PIL import Image

from warpnoise.errors import SettingsError
from warpnoise.media.bounded import LARGEST_PICTURE, given_path

_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP")


def read_reference(path: str, setting: str) -> Image.Image:
    """A picture as RGB, as diffusers' pipelines take it; transparency is over white. A file that has not changed is
    read once, and the same object is returned.

    Raises:
        SettingsError: no such file, of another format, too large or damaged.
    """
    file = given_path(path, f"the {setting}'s picture", error=SettingsError)
    try:
        status = file.stat()
    except OSError:
        raise SettingsError(f"{setting} {file}: there is no such picture") from None
    return _read(file, status.st_size, status.st_mtime_ns, setting)


@functools.lru_cache(maxsize=16)
def _read(file: Path, size: int, time: int, setting: str) -> Image.Image:
    """``size`` and ``time`` are the file's."""
    try:
        with Image.open(file, formats=_FORMATS) as picture:
            if picture.width * picture.height > LARGEST_PICTURE:
                raise SettingsError(
                    f"{setting} {file}: {picture.width} x {picture.height} pixels; expected at most {LARGEST_PICTURE} "
                    "in all. Make it smaller"
                )
            rgba = picture.convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise SettingsError(
            f"{setting} {file} cannot be read as a picture ({str(error)[:100]}): expected {', '.join(_FORMATS)}"
        ) from error
    white = Image.new("RGBA", rgba.size, "white")
    return Image.alpha_composite(white, rgba).convert("RGB")
