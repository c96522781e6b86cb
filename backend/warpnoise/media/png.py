"""16-bit PNG files of display-referred pictures, RGB or RGBA with straight alpha."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from warpnoise.errors import MediaError
from warpnoise.media.atomic import write_bytes

_SIGNATURE = b"\x89PNG\r\n\x1a\n"

_LEVEL = 1
"""zlib's: rendered 16-bit pictures get hardly smaller (1%) at the higher levels, which take up to twice the time."""


def read_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels, from the header alone. Raises MediaError for a file that is missing or no PNG."""
    try:
        with path.open("rb") as file:
            start = file.read(24)
    except OSError as refusal:
        raise _unreadable(path, refusal) from refusal
    if len(start) < 24 or not start.startswith(_SIGNATURE) or start[12:16] != b"IHDR":
        raise _not_a_png(path)
    width, height = struct.unpack(">II", start[16:24])
    return width, height


def read_png(path: Path) -> npt.NDArray[np.uint16]:
    """The picture as (height, width, 3 or 4) uint16, red first, straight alpha; 0 to 65535.

    8-bit, grey and palette files are widened to that.

    Raises:
        MediaError: the file is missing, cut off, or not a PNG.
    """
    try:
        data = path.read_bytes()
    except OSError as refusal:
        raise _unreadable(path, refusal) from refusal
    if not data.startswith(_SIGNATURE):
        raise _not_a_png(path)
    if b"IEND" not in data[-16:]:  # the decoder fills what is missing with black
        raise MediaError(f"{path} is cut off. Export or render this frame again.")
    picture = _decode(data)
    if picture is None:
        raise MediaError(f"{path} is damaged. Export or render this frame again.")
    if picture.dtype == np.uint8:
        picture = picture.astype(np.uint16) * 257
    to_rgb = {1: cv2.COLOR_GRAY2RGB, 3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}
    channels = 1 if picture.ndim == 2 else picture.shape[2]
    return np.asarray(cv2.cvtColor(picture, to_rgb[channels]), dtype=np.uint16)


def write_png(path: Path, picture: npt.NDArray[np.uint16]) -> None:
    """Writes a (height, width, 3 or 4) uint16 picture, red first, straight alpha; whole or not at all.

    Raises:
        ValueError: another shape or type.
        MediaError: the file cannot be written (full disk, no permission, ...).
    """
    if picture.dtype != np.uint16 or picture.ndim != 3 or picture.shape[2] not in (3, 4) or not picture.size:
        raise ValueError(f"expected (height, width, 3 or 4) uint16, got {picture.shape} {picture.dtype}")
    to_bgr = cv2.COLOR_RGB2BGR if picture.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
    # Encoded in memory: OpenCV's own writing says nothing of a full disk.
    done, data = cv2.imencode(".png", cv2.cvtColor(picture, to_bgr), [cv2.IMWRITE_PNG_COMPRESSION, _LEVEL])
    if not done:
        raise MediaError(f"Cannot encode {path} ({picture.shape[1]} x {picture.shape[0]} pixels).")
    write_bytes(path, data.tobytes())


def _decode(data: bytes) -> npt.NDArray[np.uint8 | np.uint16] | None:
    try:
        picture = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    return (
        None if picture is None else picture.astype(np.uint16 if picture.dtype == np.uint16 else np.uint8, copy=False)
    )


def _unreadable(path: Path, refusal: OSError) -> MediaError:
    return MediaError(f"Cannot read {path}: {refusal.strerror or refusal}.")


def _not_a_png(path: Path) -> MediaError:
    return MediaError(f"{path} is not a PNG file. Export this frame again, or convert the picture to PNG.")
