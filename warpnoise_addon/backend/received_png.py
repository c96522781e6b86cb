"""Checks that bytes from a server are a PNG picture of the expected size and nothing else, before Blender opens them.

The format is that of the PNG specification (https://www.w3.org/TR/png-3/).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import IO

from ..messages import MessageError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {2: 3, 6: 4}
"""By colour type: RGB and RGBA."""
HARMLESS = (b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"sBIT", b"tIME")
"""Chunks of a few bytes that need no decompression."""
_BLOCK = 1 << 20


class NotThePicture(MessageError):
    """A received file is not the expected picture. The message says why."""


def largest_png(width: int, height: int) -> int:
    """No PNG of that size, RGBA of 16 bits, is larger: deflate adds at most 5 bytes a block, chunks 12 bytes."""
    raw = height * (1 + width * 8)
    return raw + raw // 100 + (1 << 16)


def check_png(file: IO[bytes], width: int, height: int) -> None:
    """Raises NotThePicture: not a whole PNG of ``width`` x ``height`` pixels, RGB or RGBA, of 8 or 16 bits."""
    file.seek(0)
    if file.read(len(SIGNATURE)) != SIGNATURE:
        raise NotThePicture("it is not a PNG file")
    chunks = _chunks(file)
    kind, header = next(chunks, (b"", b""))
    if kind != b"IHDR" or len(header) != 13:
        raise NotThePicture("it has no header")
    got_width, got_height, depth, color, *methods = struct.unpack(">IIBBBBB", header)
    if (got_width, got_height) != (width, height):
        raise NotThePicture(
            "expected {width} x {height} pixels, got {got_width} x {got_height}",
            width=width,
            height=height,
            got_width=got_width,
            got_height=got_height,
        )
    if depth not in (8, 16) or color not in CHANNELS or any(methods):
        raise NotThePicture(
            "expected RGB or RGBA of 8 or 16 bits, got colour type {color} of {depth} bits", color=color, depth=depth
        )
    row = 1 + width * CHANNELS[color] * depth // 8
    _check_pixels(chunks, row * height)
    if file.read(1):
        raise NotThePicture("it has data after its end")


def _chunks(file: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    while True:
        start = file.read(8)
        if len(start) < 8:
            raise NotThePicture("it is cut off")
        length, kind = struct.unpack(">I4s", start)
        if length > 64 and kind != b"IDAT":
            raise NotThePicture("its part {kind!r} is too long", kind=kind)
        data, check = file.read(length), file.read(4)
        if len(data) < length or len(check) < 4:
            raise NotThePicture("it is cut off")
        if zlib.crc32(kind + data) != struct.unpack(">I", check)[0]:
            raise NotThePicture("it is damaged")
        if kind == b"IEND":
            return
        yield kind, data


def _check_pixels(chunks: Iterator[tuple[bytes, bytes]], expected: int) -> None:
    """The pixels unpack to the number of bytes that they must have, never to more."""
    unpack, size = zlib.decompressobj(), 0
    try:
        for kind, data in chunks:
            if kind in HARMLESS:
                continue
            if kind != b"IDAT":
                raise NotThePicture("it has a part {kind!r}, which is not expected", kind=kind)
            while data and not unpack.eof:
                size += len(unpack.decompress(data, _BLOCK))
                data = unpack.unconsumed_tail
                if size > expected:
                    raise NotThePicture("it has more pixel data than its size allows")
    except zlib.error as error:
        raise NotThePicture("its pixels cannot be unpacked ({error})", error=error) from None
    # Blocks that were filled exactly may have left something behind.
    while not unpack.eof and (more := unpack.decompress(b"", _BLOCK)):
        size += len(more)
    if size != expected or not unpack.eof or unpack.unused_data:
        raise NotThePicture("the length of its pixel data does not match its size")
