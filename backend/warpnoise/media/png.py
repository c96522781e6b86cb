"""16-bit PNG files of display-referred pictures, RGB or RGBA with straight alpha."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from warpnoise.errors import MediaError
from warpnoise.media.atomic import write_bytes
from warpnoise.media.bounded import LARGEST_PICTURE, read_bytes

_SIGNATURE = b"\x89PNG\r\n\x1a\n"

_HEADER = 26
"""Bytes: the signature, and IHDR up to the colour type."""
_LARGEST_NOTES = 1 << 24
"""Bytes beside the pixels: what renderers note in their files, a colour profile."""
_KINDS = {0: (1, (1, 2, 4, 8, 16)), 2: (3, (8, 16)), 3: (1, (1, 2, 4, 8)), 4: (2, (8, 16)), 6: (4, (8, 16))}
"""By colour type, the samples of a pixel, and the allowed bits of a sample (PNG specification, table 12)."""
_MOST_UNPACKED = 1032
"""Bytes that deflate makes of one byte at most."""

_LEVEL = 1
"""zlib's: rendered 16-bit pictures get hardly smaller (1%) at the higher levels, which take up to twice the time."""


def read_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels, from the header alone. Raises MediaError for a file that is missing or no PNG."""
    try:
        with path.open("rb") as file:
            return _size(path, file.read(_HEADER))
    except OSError as refusal:
        raise _unreadable(path, refusal) from refusal


def read_png(path: Path) -> npt.NDArray[np.uint16]:
    """The picture as (height, width, 3 or 4) uint16, red first, straight alpha; 0 to 65535.

    8-bit, grey and palette files are widened to that. The header is checked before pixels are decoded.

    Raises:
        MediaError: the file is missing, cut off, not a PNG, or has more than ``LARGEST_PICTURE`` pixels in all.
    """
    width, height = read_size(path)
    if width * height > LARGEST_PICTURE:
        raise MediaError(f"{path} has {width} x {height} pixels; expected at most {LARGEST_PICTURE} in all.")
    try:
        data = read_bytes(path, width * height * 9 + _LARGEST_NOTES)
    except FileNotFoundError as refusal:
        raise _unreadable(path, refusal) from refusal
    if _size(path, data[:_HEADER]) != (width, height):
        raise MediaError(f"{path} changed while it was read. Wait until nothing writes to it, and run again.")
    _check_chunks(path, data)
    picture = _decode(data)
    if picture is None or picture.shape[:2] != (height, width):
        raise MediaError(f"{path} is damaged. Export or render this frame again.")
    if picture.dtype == np.uint8:
        picture = picture.astype(np.uint16) * 257
    return to_rgb(picture)


def to_rgb(picture: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
    """A picture as OpenCV reads it, grey, BGR or BGRA, as RGB or RGBA."""
    kinds = {1: cv2.COLOR_GRAY2RGB, 3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}
    return np.asarray(cv2.cvtColor(picture, kinds[1 if picture.ndim == 2 else picture.shape[2]]), dtype=np.uint16)


def write_png(path: Path, picture: npt.NDArray[np.uint16]) -> None:
    """Writes a (height, width, 3 or 4) uint16 picture, red first, straight alpha; whole or not at all.

    Raises:
        ValueError: another shape or type.
        MediaError: the file cannot be written (full disk, no permission, ...).
    """
    write_bytes(path, encode_png(path, picture))


def encode_png(path: Path, picture: npt.NDArray[np.uint16]) -> bytes:
    """The content of the file that ``write_png`` writes; ``path`` names it in messages. Raises as ``write_png``."""
    if picture.dtype != np.uint16 or picture.ndim != 3 or picture.shape[2] not in (3, 4) or not picture.size:
        raise ValueError(f"expected (height, width, 3 or 4) uint16, got {picture.shape} {picture.dtype}")
    to_bgr = cv2.COLOR_RGB2BGR if picture.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
    # Encoded in memory: OpenCV's own writing says nothing of a full disk.
    done, data = cv2.imencode(".png", cv2.cvtColor(picture, to_bgr), [cv2.IMWRITE_PNG_COMPRESSION, _LEVEL])
    if not done:
        raise MediaError(f"Cannot encode {path} ({picture.shape[1]} x {picture.shape[0]} pixels).")
    return data.tobytes()


def _size(path: Path, start: bytes) -> tuple[int, int]:
    if len(start) < _HEADER or not start.startswith(_SIGNATURE) or start[12:16] != b"IHDR":
        raise MediaError(f"{path} is not a PNG file. Export this frame again, or convert the picture to PNG.")
    width, height, depth, kind = struct.unpack(">IIBB", start[16:_HEADER])
    if not 0 < width < 2**31 or not 0 < height < 2**31 or depth not in _KINDS.get(kind, (0, ()))[1]:
        raise MediaError(f"{path} is damaged: its header is not a PNG's. Export or render this frame again.")
    return width, height


def _check_chunks(path: Path, data: bytes) -> None:
    """Refuses what the decoder believes: it fills what is missing with black, takes memory for a chunk by the length
    that stands there, and for pixels that deflate cannot have packed into so few bytes."""
    width, height, depth, kind = struct.unpack(">IIBB", data[16:_HEADER])
    at, packed, name = len(_SIGNATURE), 0, b""
    while name != b"IEND":
        if len(data) < at + 12:
            raise MediaError(f"{path} is cut off. Export or render this frame again.")
        length, name = struct.unpack_from(">I4s", data, at)
        packed += length if name == b"IDAT" else 0
        at += 12 + length
    if at > len(data):
        raise MediaError(f"{path} is cut off. Export or render this frame again.")
    if width * height * _KINDS[kind][0] * depth // 8 > packed * _MOST_UNPACKED:
        raise MediaError(
            f"{path} is damaged: {packed} bytes cannot hold its pixels. Export or render this frame again."
        )


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
