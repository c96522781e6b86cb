"""PNG files read and written with zlib and numpy: what is in the file, without anybody's colour management."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
_COLOR_TYPE = {3: 2, 4: 6}  # RGB, RGBA
_FILTER_UP = 2
_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}


def read_png(path: Path) -> np.ndarray:
    """(h, w, channels), uint8 or uint16."""
    data = path.read_bytes()
    at, packed = 8, b""
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, color, *_ = struct.unpack(">IIBBBBB", body)
        elif kind == b"IDAT":
            packed += body
        at += 12 + length
    size = depth // 8 * _CHANNELS[color]
    lines = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + width * size)
    rows = np.zeros((height + 1, width, size), np.uint8)
    for y, line in enumerate(lines):
        _unfilter(line[0], line[1:].reshape(width, size), rows[y], rows[y + 1])
    pixels = rows[1:].reshape(height, -1)
    pixels = pixels.view(">u2") if depth == 16 else pixels
    return pixels.reshape(height, width, _CHANNELS[color]).astype(np.uint16 if depth == 16 else np.uint8)


def _unfilter(kind: int, line: np.ndarray, above: np.ndarray, out: np.ndarray) -> None:
    up = above.astype(int)
    if kind in (0, 2):
        out[:] = line + (up if kind == 2 else 0)
        return
    left = upper_left = np.zeros(line.shape[1], int)
    for x in range(len(line)):
        if kind == 1:
            predicted = left
        elif kind == 3:
            predicted = (left + up[x]) // 2
        else:
            a, b, c = abs(up[x] - upper_left), abs(left - upper_left), abs(left + up[x] - 2 * upper_left)
            predicted = np.where((a <= b) & (a <= c), left, np.where(b <= c, up[x], upper_left))
        out[x] = (line[x] + predicted) & 0xFF
        left, upper_left = out[x].astype(int), up[x]


def write_png16(path: Path, pixels: np.ndarray) -> None:
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


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
