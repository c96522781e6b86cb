"""Digests of pictures by what they show, not by what is noted in them.

Renderers note the date, the time that a render took and the scene's path in their files, so that rendering the same
frame twice gives other bytes. Of a PNG only the chunks that make the picture count, of an EXR the pixels as they are
stored, and the attributes that say how to read them.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_DIGEST_BYTES = 16
_BLOCK_BYTES = 1 << 20
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT")
_EXR = b"v/1\x01"
_EXR_TILED, _EXR_DEEP, _EXR_PARTS = 0x200, 0x800, 0x1000
_EXR_ATTRIBUTES = (
    b"channels",
    b"compression",
    b"dataWindow",
    b"displayWindow",
    b"lineOrder",
    b"name",
    b"type",
    b"view",
)
_LARGEST_ATTRIBUTE = 1 << 26
"""Bytes; a Cryptomatte manifest of a scene with a million names is smaller."""
_EXR_LINES = {0: 1, 1: 1, 2: 1, 3: 16, 4: 32, 5: 16, 6: 32, 7: 32, 8: 32, 9: 256}
"""Scan lines in a chunk, by the number of the compression (OpenEXR file layout, "Compression")."""


class _Unfamiliar(Exception):
    """The file is damaged, or of a kind that is not looked into: all of its bytes count."""


def picture_digest(path: Path) -> str:
    """BLAKE2b in hexadecimal of what a PNG or an EXR shows; of any other file, and of damaged ones, of all bytes.

    Raises OSError as ``open`` does.
    """
    for kind in (_png, _exr):
        state = hashlib.blake2b(digest_size=_DIGEST_BYTES)
        with path.open("rb") as file:
            try:
                for block in kind(file):
                    state.update(block)
            except (_Unfamiliar, struct.error):
                continue
        return state.hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=_DIGEST_BYTES)).hexdigest()


def _png(file: BinaryIO) -> Iterator[bytes]:
    """Signature, chunks of length, type, data and checksum (PNG specification, 5.3)."""
    if file.read(len(_PNG)) != _PNG:
        raise _Unfamiliar
    kind = b""
    while kind != b"IEND":
        length, kind = struct.unpack(">I4s", file.read(8))
        data = file.read(length)
        if len(data) < length or len(file.read(4)) < 4:
            raise _Unfamiliar
        if kind in _PNG_CHUNKS:
            yield struct.pack(">I4s", length, kind)
            yield data


def _exr(file: BinaryIO) -> Iterator[bytes]:
    """Magic number, headers, a table of the chunks' places, chunks (OpenEXR file layout)."""
    magic, version = struct.unpack("<4sI", file.read(8))
    if magic != _EXR or version & (_EXR_TILED | _EXR_DEEP):
        raise _Unfamiliar
    yield magic
    chunks = 0
    while header := dict(_attributes(file)):
        for name in sorted(header):
            if name in _EXR_ATTRIBUTES or name.startswith(b"cryptomatte/"):
                yield struct.pack("<II", len(name), len(header[name]))
                yield name + header[name]
        chunks += _chunks(header)
        if not version & _EXR_PARTS:
            break
    file.seek(8 * chunks, 1)  # the places move with the length of what is passed over
    while block := file.read(_BLOCK_BYTES):
        yield block


def _attributes(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Names and values of one header; none where the last header has ended."""
    while name := _name(file):
        kind = _name(file)
        (size,) = struct.unpack("<I", file.read(4))
        if size > _LARGEST_ATTRIBUTE or len(value := file.read(size)) < size:
            raise _Unfamiliar
        yield name, kind + b"\0" + value


def _name(file: BinaryIO) -> bytes:
    name = b""
    while (letter := file.read(1)) != b"\0":
        name += letter
        if not letter or len(name) > 255:
            raise _Unfamiliar
    return name


def _chunks(header: dict[bytes, bytes]) -> int:
    """How many chunks a part of scan lines has."""
    if header.get(b"type", b"string\0scanlineimage") != b"string\0scanlineimage":
        raise _Unfamiliar
    try:
        lines = _EXR_LINES[header[b"compression"][-1]]
        _, top, _, bottom = struct.unpack("<4i", header[b"dataWindow"].partition(b"\0")[2])
    except KeyError:
        raise _Unfamiliar from None
    return math.ceil((int(bottom) - int(top) + 1) / lines)
