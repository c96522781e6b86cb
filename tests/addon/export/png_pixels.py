"""PNG files read with zlib and numpy: what is in the file, without anybody's colour management."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

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
