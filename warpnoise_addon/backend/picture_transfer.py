"""Pictures on their way between this computer and a server, which is not trusted.

A received one must be a PNG picture of the expected size and nothing else, before Blender opens it. A sent one is
stripped of metadata, and keeps the pixels and their meaning: Blender stores the .blend file's path, the scene, the date
and the render time in every PNG and OpenEXR file. Formats: PNG specification (https://www.w3.org/TR/png-3/), OpenEXR
File Layout (https://openexr.com/en/latest/OpenEXRFileLayout.html).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO

from ..errors import MessageError

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


_PNG_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_EXR = b"v/1\x01"
_EXR_MULTIPART = 0x1000
_EXR_ATTRIBUTES = frozenset({
    "channels", "chunkCount", "compression", "dataWindow", "displayWindow", "lineOrder", "name", "pixelAspectRatio",
    "screenWindowCenter", "screenWindowWidth", "tiles", "type", "version", "view", "BlenderMultiChannel",
})  # fmt: skip
"""And ``cryptomatte/...``: which pixels are which object."""
_LARGEST_HEADERS = 1 << 28


class NoPictureError(Exception):
    """The file is no whole PNG or OpenEXR file; the message is the end of a sentence."""


class SentPicture:
    """The bytes that are sent of a picture. Equal pictures with other notes are equal."""

    def __init__(self, path: Path) -> None:
        """Reads the file's structure.

        Raises:
            NoPictureError: it is no whole PNG or OpenEXR file.
            OSError: it cannot be read.
        """
        self._path = path
        self._pieces: list[bytes | tuple[int, int]] = []  # bytes, or offset and length in the file
        with path.open("rb") as file:
            end = file.seek(0, 2)
            file.seek(0)
            start = file.read(8)
            try:
                if start == SIGNATURE:
                    self._plan_png(file, end)
                elif start[:4] == _EXR and len(start) == 8:
                    self._plan_exr(file, start, end)
                else:
                    raise NoPictureError("it is neither a PNG nor an OpenEXR file")
            except (struct.error, UnicodeDecodeError):
                raise NoPictureError("it is cut off or damaged") from None

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(len(piece) if isinstance(piece, bytes) else piece[1] for piece in self._pieces)

    def blocks(self) -> Iterator[bytes]:
        """The bytes in blocks. Raises OSError."""
        with self._path.open("rb") as file:
            for piece in self._pieces:
                if isinstance(piece, bytes):
                    yield piece
                    continue
                file.seek(piece[0])
                left = piece[1]
                while left and (block := file.read(min(left, _BLOCK))):
                    yield block
                    left -= len(block)

    def _plan_png(self, file: BinaryIO, end: int) -> None:
        self._pieces.append(SIGNATURE)
        begin = at = len(SIGNATURE)
        kind = b""
        while kind != b"IEND":
            file.seek(at)
            length, kind = struct.unpack(">I4s", file.read(8))
            after = at + length + 12
            if after > end:
                raise NoPictureError("it is cut off or damaged")
            if kind not in _PNG_CHUNKS:
                self._add(begin, at)
                begin = after
            at = after
        self._add(begin, at)

    def _plan_exr(self, file: BinaryIO, start: bytes, end: int) -> None:
        headers = [start]
        multipart = struct.unpack("<I", start[4:])[0] & _EXR_MULTIPART
        while header := _stripped_header(file, end):
            headers.append(header)
            if not multipart:
                break
        if multipart:
            headers.append(b"\0")
        # The tables of chunks are followed by the chunks: they end where the first chunk begins.
        begin = file.tell()
        table = file.read(8)
        (first,) = struct.unpack("<Q", table)
        if not begin + 8 <= first <= end:
            raise NoPictureError("some of its pixels are missing")
        table += file.read(first - begin - 8)
        offsets = struct.unpack(f"<{len(table) // 8}Q", table[: len(table) // 8 * 8])
        first = min(offsets)
        offsets = offsets[: (first - begin) // 8]
        if not begin < first or not all(first <= offset < end for offset in offsets):
            raise NoPictureError("some of its pixels are missing")
        shift = sum(map(len, headers)) - begin
        self._pieces += [*headers, struct.pack(f"<{len(offsets)}Q", *(offset + shift for offset in offsets))]
        self._add(first, end)

    def _add(self, begin: int, end: int) -> None:
        if end > begin:
            self._pieces.append((begin, end - begin))


def _stripped_header(file: BinaryIO, end: int) -> bytes:
    """One part's header with the attributes that are sent; empty where the headers have ended."""
    stripped = bytearray()
    found = False
    while name := _text(file):
        found = True
        kind = _text(file)
        (length,) = struct.unpack("<I", file.read(4))
        if length > end - file.tell() or len(stripped) > _LARGEST_HEADERS:
            raise NoPictureError("it is cut off or damaged")
        text = name.decode()
        if text in _EXR_ATTRIBUTES or text.startswith("cryptomatte/"):
            stripped += name + b"\0" + kind + b"\0" + struct.pack("<I", length) + file.read(length)
        else:
            file.seek(length, 1)
    return bytes(stripped + b"\0") if found else b""


def _text(file: BinaryIO) -> bytes:
    text = bytearray()
    while (byte := file.read(1)) != b"\0":
        text += byte
        if not byte or len(text) > 255:
            raise NoPictureError("it is cut off or damaged")
    return bytes(text)
