"""Removes metadata about the user from pictures that are sent, and keeps the pixels and their meaning.

Blender stores the .blend file's path, the scene, the date and the render time in every PNG and OpenEXR file. Formats:
PNG specification (https://www.w3.org/TR/png-3/), OpenEXR File Layout
(https://openexr.com/en/latest/OpenEXRFileLayout.html).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_EXR = b"v/1\x01"
_EXR_MULTIPART = 0x1000
_EXR_ATTRIBUTES = frozenset({
    "channels", "chunkCount", "compression", "dataWindow", "displayWindow", "lineOrder", "name", "pixelAspectRatio",
    "screenWindowCenter", "screenWindowWidth", "tiles", "type", "version", "view", "BlenderMultiChannel",
})  # fmt: skip
"""And ``cryptomatte/...``: which pixels are which object."""
_LARGEST_HEADERS = 1 << 28
_BLOCK = 1 << 18


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
                if start == _PNG:
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
        self._pieces.append(_PNG)
        begin = at = len(_PNG)
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
