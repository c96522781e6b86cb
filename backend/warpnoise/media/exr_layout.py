"""The structure of an OpenEXR file: headers, chunk tables and chunks, but no pixels.

It follows "OpenEXR File Layout" (https://openexr.com/en/latest/OpenEXRFileLayout.html). Every value in a file is
checked against the file's size and the limits below before it is used.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt

MAGIC: Final = b"v/1\x01"
LARGEST_ATTRIBUTE: Final = 1 << 26
"""Bytes; a Cryptomatte manifest of a scene with a million names is smaller."""
LARGEST_HEADERS: Final = 1 << 28
MOST_PARTS: Final = 1024
MOST_CHANNELS: Final = 4096
LARGEST_SIDE: Final = 1 << 16
"""Pixels. Blender renders at most this many along a side."""
HALF, FLOAT = 1, 2
_BYTES = {0: 4, HALF: 2, FLOAT: 4}
"""Of a value, by the number of the pixel type: unsigned int, half, float."""
_TILED, _LONG_NAMES, _DEEP, _MULTIPART = 0x200, 0x400, 0x800, 0x1000
_LINES = {0: 1, 1: 1, 2: 1, 3: 16, 4: 32, 5: 16, 6: 32, 7: 32, 8: 32, 9: 256, 10: 256, 11: 32, 12: 256, 13: 1}
"""Scan lines in a chunk: none, RLE, ZIPS, ZIP, PIZ, PXR24, B44, B44A, DWAA, DWAB, HTJ2K (of 256 and of 32 lines), LJ2K,
ZSTD."""


class BadLayoutError(Exception):
    """The file is damaged, or of a kind that Warpnoise does not read; the message is the end of a sentence."""


@dataclass(frozen=True)
class Channel:
    """``kind``: 0 unsigned int, 1 half, 2 float. ``sampling``: 1 where every pixel has a value."""

    name: str
    kind: int
    sampling: tuple[int, int]


@dataclass(frozen=True)
class Part:
    """One part's header. Windows are (x0, y0, x1, y1), inclusive."""

    attributes: Mapping[str, tuple[bytes, bytes]]
    """Name to type and value."""
    header: bytes
    """All attributes as they stand in the file, the zero byte at the end included."""
    name: str
    channels: tuple[Channel, ...]
    data_window: tuple[int, int, int, int]
    display_window: tuple[int, int, int, int]
    scan_lines: bool
    """False: tiles."""
    chunks: int
    """How many; 0 where tiles are."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the data window."""
        x0, y0, x1, y1 = self.data_window
        return x1 - x0 + 1, y1 - y0 + 1

    @property
    def decoded_bytes(self) -> int:
        """The size of its pixels after decompression."""
        width, height = self.size
        return width * height * sum(_BYTES[channel.kind] for channel in self.channels)

    def text(self, attribute: str) -> str:
        """An attribute's text, or "" if it is missing. Raises BadLayoutError: not UTF-8."""
        return _text(self.attributes.get(attribute, (b"string", b""))[1])


@dataclass(frozen=True)
class Layout:
    """``tables``: where in the file the parts' tables of chunk offsets begin."""

    parts: tuple[Part, ...]
    multipart: bool
    tables: int


def read_layout(file: BinaryIO) -> Layout:
    """Reads the headers; afterwards the file stands at ``tables``.

    Raises:
        BadLayoutError: no OpenEXR file, damaged, deep, or beyond a limit.
    """
    size = os.fstat(file.fileno()).st_size
    start = file.read(8)
    if len(start) < 8 or not start.startswith(MAGIC):
        raise BadLayoutError("it is not an EXR file")
    (version,) = struct.unpack("<I", start[4:])
    if version & _DEEP:
        raise BadLayoutError("it is a deep EXR file")
    longest = 255 if version & _LONG_NAMES else 31
    parts: list[Part] = []
    while len(parts) < MOST_PARTS and (part := _read_part(file, size, longest, bool(version & _TILED))) is not None:
        parts.append(part)
        if not version & _MULTIPART:
            break
        if file.tell() > LARGEST_HEADERS:
            raise BadLayoutError(f"its headers have more than {LARGEST_HEADERS} bytes")
    if not parts or len(parts) == MOST_PARTS:
        raise BadLayoutError(f"expected 1 to {MOST_PARTS - 1} parts")
    if sum(len(part.channels) for part in parts) > MOST_CHANNELS:
        raise BadLayoutError(f"it has more than {MOST_CHANNELS} channels")
    return Layout(tuple(parts), bool(version & _MULTIPART), file.tell())


def as_single_part(file: BinaryIO, layout: Layout, index: int) -> bytes:
    """A part of scan lines out of a multi-part file, as a file with this part only. Pixels stay compressed.

    Raises:
        BadLayoutError: chunks are missing or damaged.
    """
    size = os.fstat(file.fileno()).st_size
    part = layout.parts[index]
    file.seek(layout.tables + 8 * sum(other.chunks for other in layout.parts[:index]))
    table = file.read(8 * part.chunks)
    if len(table) < 8 * part.chunks:
        raise BadLayoutError("it ends in its table of chunks")
    offsets: npt.NDArray[np.uint64] = np.frombuffer(table, "<u8")
    pieces, lengths, left = [], [], size
    for offset in offsets.tolist():
        if offset < layout.tables or offset > size - 12:
            raise BadLayoutError("pixels are missing")
        file.seek(offset)
        number, line, length = struct.unpack("<iiI", file.read(12))
        left -= 12 + length  # chunks that lie over one another would be as long as somebody likes
        if number != index or length > size - offset - 12 or left < 0:
            raise BadLayoutError("pixels are missing")
        pieces.append(struct.pack("<iI", line, length) + file.read(length))
        lengths.append(8 + length)
    start = MAGIC + struct.pack("<I", 2 | _LONG_NAMES) + part.header
    places = len(start) + len(table) + np.cumsum([0, *lengths[:-1]], dtype=np.uint64)
    return b"".join([start, places.astype("<u8").tobytes(), *pieces])


def _read_part(file: BinaryIO, size: int, longest: int, tiled: bool) -> Part | None:
    """None: the headers have ended."""
    start = file.tell()
    attributes: dict[str, tuple[bytes, bytes]] = {}
    while name := _name(file, longest):
        kind = _name(file, longest)
        (length,) = _unpack("<I", file.read(4))
        if length > min(LARGEST_ATTRIBUTE, size - file.tell()):
            raise BadLayoutError(f"its attribute {name.decode(errors='replace')} is cut off or too large")
        if _text(name) in attributes:
            raise BadLayoutError(f"its header has {_text(name)} twice")
        attributes[_text(name)] = kind, file.read(length)
    if not attributes:
        return None
    end = file.tell()
    if end - start > LARGEST_HEADERS:
        raise BadLayoutError(f"its headers have more than {LARGEST_HEADERS} bytes")
    file.seek(start)
    header = file.read(end - start)
    data, display = (_window(attributes, name) for name in ("dataWindow", "displayWindow"))
    kind = attributes.get("type", (b"", b""))[1]
    if kind.startswith(b"deep"):
        raise BadLayoutError("it is a deep EXR file")
    scan_lines = kind == b"scanlineimage" or (not kind and not tiled)
    lines = _LINES.get(int.from_bytes(_value(attributes, "compression"), "little"))
    if lines is None:
        raise BadLayoutError("its compression is unknown")
    return Part(
        attributes=attributes,
        header=header,
        name=_text(attributes.get("name", (b"", b""))[1]),
        channels=tuple(_channels(_value(attributes, "channels"))),
        data_window=data,
        display_window=display,
        scan_lines=scan_lines,
        chunks=-(-(data[3] - data[1] + 1) // lines) if scan_lines else 0,
    )


def _channels(data: bytes) -> list[Channel]:
    found, at = [], 0
    while data[at : at + 1] not in (b"", b"\0"):
        end = data.find(b"\0", at)
        if end < 0 or len(data) < end + 17:
            raise BadLayoutError("its list of channels is damaged")
        kind, x, y = struct.unpack_from("<i4x2i", data, end + 1)
        if kind not in _BYTES:
            raise BadLayoutError("its list of channels is damaged")
        found.append(Channel(_text(data[at:end]), kind, (x, y)))
        if len(found) > MOST_CHANNELS:
            raise BadLayoutError(f"it has more than {MOST_CHANNELS} channels")
        at = end + 17
    return found


def _window(attributes: Mapping[str, tuple[bytes, bytes]], name: str) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = _unpack("<4i", _value(attributes, name))
    if not (0 <= x1 - x0 < LARGEST_SIDE and 0 <= y1 - y0 < LARGEST_SIDE):
        raise BadLayoutError(f"its {name} is {x0}, {y0} to {x1}, {y1}: expected 1 to {LARGEST_SIDE} pixels a side")
    return x0, y0, x1, y1


def _value(attributes: Mapping[str, tuple[bytes, bytes]], name: str) -> bytes:
    if name not in attributes:
        raise BadLayoutError(f"its header has no {name}")
    return attributes[name][1]


def _name(file: BinaryIO, longest: int) -> bytes:
    name = bytearray()
    while (letter := file.read(1)) != b"\0":
        name += letter
        if not letter or len(name) > longest:
            raise BadLayoutError("it ends in its header, or the header is damaged")
    return bytes(name)


def _text(data: bytes) -> str:
    try:
        return data.rstrip(b"\0").decode()
    except UnicodeDecodeError:
        raise BadLayoutError(f"its header holds {data[:40]!r}, which is not UTF-8") from None


def _unpack(form: str, data: bytes) -> tuple[int, ...]:
    if len(data) != struct.calcsize(form):
        raise BadLayoutError("it ends in its header, or the header is damaged")
    return struct.unpack(form, data)
