"""Converts display-referred pictures to 16-bit PNG. Pillow reads headers and 8-bit data, OpenCV 16-bit data."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from warpnoise.errors import MediaError
from warpnoise.media.png import read_png, to_rgb

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp")
_EXTRA_SAMPLES, _ASSOCIATED = 338, 1
"""The TIFF tag that says what a fourth channel is, and its value for colour multiplied by alpha (TIFF 6.0, 18)."""


@dataclass(frozen=True)
class PictureHeader:
    """``size``: width and height in pixels. ``associated``: the file's colour is multiplied by alpha."""

    size: tuple[int, int]
    alpha: bool
    sixteen_bits: bool
    associated: bool


def read_header(path: Path) -> PictureHeader:
    """The header of a picture file, without its pixels.

    Raises:
        MediaError: the file is missing, is not a picture, or is of a kind whose colours are not defined.
    """
    with _opened(path) as image:
        if image.mode in ("CMYK", "LAB", "HSV"):
            raise MediaError(
                f"'{path}' is a {image.mode} picture, whose colours on a screen are not defined. Convert the frames to "
                "RGB."
            )
        if image.mode in ("F", "I"):
            raise MediaError(
                f"'{path}' has values of 32 bits, which are scene-linear as a rule. Save the frames as OpenEXR instead."
            )
        alpha = image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
        tiles = getattr(image, "tile", None)
        coding = tiles[0][3] if tiles else ""
        raw_mode = str(coding[0] if isinstance(coding, tuple) else coding)
        tags = getattr(image, "tag_v2", {})
        associated = tags.get(_EXTRA_SAMPLES, (0,))[:1] == (_ASSOCIATED,)
        return PictureHeader(image.size, alpha, ";16" in raw_mode, alpha and associated)


def read_picture(path: Path, *, alpha: bool) -> npt.NDArray[np.uint16]:
    """(height, width, 3 or 4) uint16, red first, straight alpha; opaque where the file has none.

    Args:
        alpha: 4 channels are wanted.

    Raises:
        MediaError: as ``read_header``, or the file is cut off or damaged.
    """
    header = read_header(path)
    picture = _read_16_bits(path, header) if header.sixteen_bits else _read_8_bits(path, header)
    if not alpha:
        return picture[..., :3]
    if picture.shape[2] == 4:
        return picture
    return np.concatenate([picture, np.full_like(picture[..., :1], 65535)], axis=2)


def _read_8_bits(path: Path, header: PictureHeader) -> npt.NDArray[np.uint16]:
    with _opened(path) as image:
        # Pillow divides by an associated alpha itself.
        return np.asarray(image.convert("RGBA" if header.alpha else "RGB"), np.uint16) * np.uint16(257)


def _read_16_bits(path: Path, header: PictureHeader) -> npt.NDArray[np.uint16]:
    if path.suffix.lower() == ".png":
        return read_png(path)
    picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None or picture.dtype != np.uint16:
        raise _damaged(path, "OpenCV cannot decode it")
    picture = to_rgb(picture)
    if header.associated:
        opacity = picture[..., 3:].astype(np.float32) / 65535.0
        straight = np.divide(
            picture[..., :3], opacity, out=np.zeros(picture[..., :3].shape, np.float32), where=opacity > 0
        )
        picture[..., :3] = np.rint(np.clip(straight, 0, 65535))
    return picture


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    try:
        with warnings.catch_warnings(), Image.open(path) as image:
            warnings.simplefilter("ignore")  # sizes are compared with the scene's before anything is decoded
            yield image
    except FileNotFoundError:
        raise MediaError(f"'{path}' is gone. Render or copy this frame again.") from None
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise _damaged(path, " ".join(str(error).split())) from None


def _damaged(path: Path, reason: str) -> MediaError:
    return MediaError(
        f"'{path}' is not a picture that can be read, or it is cut off ({reason}). Render or copy this frame again."
    )
