"""Pictures that users give beside the render: for IP-Adapters, and for models that edit."""

from __future__ import annotations

from PIL import Image

from warpnoise.errors import SettingsError
from warpnoise.media.bounded import LARGEST_PICTURE, given_path

_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP")


def read_reference(path: str, setting: str) -> Image.Image:
    """A picture as RGB, as diffusers' pipelines take it; transparency is over white.

    Raises:
        SettingsError: no such file, of another format, too large or damaged.
    """
    file = given_path(path, f"the {setting}'s picture", error=SettingsError)
    try:
        with Image.open(file, formats=_FORMATS) as picture:
            if picture.width * picture.height > LARGEST_PICTURE:
                raise SettingsError(
                    f"{setting} {file}: {picture.width} x {picture.height} pixels; expected at most {LARGEST_PICTURE} "
                    "in all. Make it smaller"
                )
            rgba = picture.convert("RGBA")
    except FileNotFoundError:
        raise SettingsError(f"{setting} {file}: there is no such picture") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise SettingsError(
            f"{setting} {file} cannot be read as a picture ({str(error)[:100]}): expected {', '.join(_FORMATS)}"
        ) from error
    white = Image.new("RGBA", rgba.size, "white")
    return Image.alpha_composite(white, rgba).convert("RGB")
