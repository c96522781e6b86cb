"""16-bit PNG files, straight from arrays: Blender writes 16 bits only through a view transform."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

SIGNATURE = b"\x89PNG\r\n\x1a\n"
END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
_COLOR_TYPE = {3: 2, 4: 6}  # RGB, RGBA
_FILTER_UP = 2


def write_png16(path: Path, pixels: npt.NDArray[np.uint16]) -> None:
    """Writes (height, width, 3 or 4) uint16 pixels, the top row first, alpha not multiplied in.

    The format is that of the PNG specification (https://www.w3.org/TR/png-3/). Raises OSError.
    """
    height, width, channels = pixels.shape
    rows = pixels.astype(">u2").view(np.uint8).reshape(height, width * channels * 2)
    # Each row less the one above compresses well, and is one operation on the whole picture.
    filtered = np.empty((height, rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = _FILTER_UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 16, _COLOR_TYPE[channels], 0, 0, 0)
    with path.open("wb") as file:
        file.write(SIGNATURE)
        file.write(_chunk(b"IHDR", header))
        file.write(_chunk(b"IDAT", zlib.compress(filtered.data, 3)))
        file.write(END)


def is_whole_png(path: Path) -> bool:
    """Whether the file begins and ends as a PNG file does. Raises OSError."""
    with path.open("rb") as file:
        begin = file.read(len(SIGNATURE))
        size = file.seek(0, 2)
        if begin != SIGNATURE or size < len(SIGNATURE) + len(END):
            return False
        file.seek(-len(END), 2)
        return file.read() == END


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
