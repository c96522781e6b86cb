"""Digests of pictures that depend on the picture, but not on the metadata.

Renderers store the date, the render time and the scene's path in their files, so rendering a frame twice gives
different bytes. For a PNG, only the chunks that make up the picture count. For an EXR file, the stored pixels count,
and the attributes that determine how to read them.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from warpnoise.errors import MediaError
from warpnoise.hashing import digest_file
from warpnoise.media.exr_layout import BadLayoutError, read_layout

_DIGEST_BYTES = 16
_BLOCK_BYTES = 1 << 20
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT")
_EXR_ATTRIBUTES = (
    "channels",
    "compression",
    "dataWindow",
    "displayWindow",
    "lineOrder",
    "name",
    "type",
    "view",
)


class _UnfamiliarError(Exception):
    """The file is damaged, or of a kind that is not looked into: all of its bytes count."""


def picture_digest(path: Path) -> str:
    """BLAKE2b in hexadecimal of what a PNG or an EXR shows; of any other file, and of damaged ones, of all bytes.

    Raises MediaError: the file cannot be read.
    """
    try:
        for kind in (_png, _exr):
            state = hashlib.blake2b(digest_size=_DIGEST_BYTES)
            with path.open("rb") as file:
                try:
                    for block in kind(file):
                        state.update(block)
                except (_UnfamiliarError, struct.error):
                    continue
            return state.hexdigest()
        return digest_file(path)
    except OSError as refusal:
        raise MediaError(f"Cannot read {path}: {refusal.strerror or refusal}.") from refusal


def _png(file: BinaryIO) -> Iterator[bytes]:
    """Signature, chunks of length, type, data and checksum (PNG specification, 5.3)."""
    if file.read(len(_PNG)) != _PNG:
        raise _UnfamiliarError
    kind, left = b"", os.fstat(file.fileno()).st_size
    while kind != b"IEND":
        length, kind = struct.unpack(">I4s", file.read(8))
        if length > left:
            raise _UnfamiliarError
        data = file.read(length)
        if len(data) < length or len(file.read(4)) < 4:
            raise _UnfamiliarError
        if kind in _PNG_CHUNKS:
            yield struct.pack(">I4s", length, kind)
            yield data


def _exr(file: BinaryIO) -> Iterator[bytes]:
    """Headers, then the chunks; their places move with the length of what is passed over."""
    try:
        layout = read_layout(file)
    except BadLayoutError:
        raise _UnfamiliarError from None
    if not all(part.scan_lines for part in layout.parts):
        raise _UnfamiliarError
    for part in layout.parts:
        for name, (kind, value) in sorted(part.attributes.items()):
            if name in _EXR_ATTRIBUTES or name.startswith("cryptomatte/"):
                content = kind + b"\0" + value
                yield struct.pack("<II", len(name.encode()), len(content))
                yield name.encode() + content
    file.seek(8 * sum(part.chunks for part in layout.parts), 1)
    while block := file.read(_BLOCK_BYTES):
        yield block
