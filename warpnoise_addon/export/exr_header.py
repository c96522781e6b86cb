"""What the header of an OpenEXR file says, and whether the file is whole; no pixels.

The layout is that of "OpenEXR File Layout" (https://openexr.com/en/latest/OpenEXRFileLayout.html): attributes, one
set for each part, then each part's table of offsets, then the chunks of pixels.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..errors import ExportError

_MAGIC = 20000630
_TILED, _DEEP, _MULTIPART = 0x200, 0x800, 0x1000
# Scan lines in a chunk, by the number of the compression:
# none, RLE, ZIPS, ZIP, PIZ, PXR24, B44, B44A, DWAA, DWAB, HTJ2K (of 256 and of 32 lines).
_LINES = {0: 1, 1: 1, 2: 1, 3: 16, 4: 32, 5: 16, 6: 32, 7: 32, 8: 32, 9: 256, 10: 256, 11: 32}
_LONGEST_NAME = 1024


@dataclass(frozen=True)
class ExrHeader:
    """``channels``: the names of all parts' channels, the part's name before it where that is not in it already."""

    width: int
    height: int
    channels: tuple[str, ...]
    half: frozenset[str]
    """Passes that have channels of 16 bits."""

    def passes(self) -> dict[str, set[str]]:
        """Channel letters by pass, whichever layer it is in: ``{"Vector": {"X", "Y", "Z", "W"}, ...}``."""
        found: dict[str, set[str]] = {}
        for channel in self.channels:
            parts = channel.split(".")
            if len(parts) >= 2:
                found.setdefault(parts[-2], set()).add(parts[-1])
        return found


_HALF = 1


def read_exr_header(path: Path) -> ExrHeader:
    """Reads the header, and checks that all of the file's pixels are there.

    Raises:
        ExportError: the file is not an OpenEXR file, or it ends too early.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        try:
            return _read(file, path.stat().st_size)
        except (struct.error, _Bad, UnicodeDecodeError) as error:
            raise ExportError(
                f"'{path}' is not a whole OpenEXR file ({error}). Render or copy this frame again."
            ) from error


class _Bad(Exception):
    pass


def _read(file: BinaryIO, size: int) -> ExrHeader:
    magic, version = struct.unpack("<II", file.read(8))
    if magic != _MAGIC:
        raise _Bad("it does not begin like one")
    parts = [_attributes(file)]
    if version & _MULTIPART:
        while attributes := _attributes(file):
            parts.append(attributes)
    channels: list[str] = []
    half: set[str] = set()
    for part in parts:
        name = part["name"].rstrip(b"\0").decode() if "name" in part else ""
        for channel, kind in _channels(part):
            channels.append(channel if "." in channel or not name else f"{name}.{channel}")
            if kind == _HALF:
                half.add(channels[-1].split(".")[-2:][0])
    x0, y0, x1, y1 = struct.unpack("<4i", _needed(parts[0], "dataWindow"))
    if not version & (_TILED | _DEEP):
        _check_chunks(file, parts, size)
    return ExrHeader(x1 - x0 + 1, y1 - y0 + 1, tuple(channels), frozenset(half))


def _attributes(file: BinaryIO) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    while name := _text(file):
        _text(file)  # its type
        (length,) = struct.unpack("<I", file.read(4))
        value = file.read(length)
        if len(value) != length:
            raise _Bad("it ends in its header")
        found[name] = value
    return found


def _text(file: BinaryIO) -> str:
    text = bytearray()
    while (byte := file.read(1)) != b"\0":
        if not byte:
            raise _Bad("it ends in its header")
        text += byte
        if len(text) > _LONGEST_NAME:
            raise _Bad("its header cannot be understood")
    return text.decode()


def _needed(part: dict[str, bytes], name: str) -> bytes:
    if name not in part:
        raise _Bad(f"its header has no {name}")
    return part[name]


def _channels(part: dict[str, bytes]) -> list[tuple[str, int]]:
    data = _needed(part, "channels")
    found, at = [], 0
    while at < len(data) and data[at]:
        end = data.index(b"\0", at)
        (kind,) = struct.unpack_from("<i", data, end + 1)
        found.append((data[at:end].decode(), kind))
        at = end + 1 + 16  # type, linearity and three spare bytes, two samplings
    return found


def _check_chunks(file: BinaryIO, parts: list[dict[str, bytes]], size: int) -> None:
    # A writer fills the tables when it is through; until then, or where the disk was full, they hold zeros.
    for part in parts:
        _, y0, _, y1 = struct.unpack("<4i", _needed(part, "dataWindow"))
        lines = _LINES.get(_needed(part, "compression")[0])
        if "chunkCount" in part:
            (count,) = struct.unpack("<i", part["chunkCount"])
        elif lines is not None:
            count = -(-(y1 - y0 + 1) // lines)
        else:
            return
        table = file.read(8 * count)
        if len(table) != 8 * count:
            raise _Bad("it ends in its table of pixels")
        offsets = struct.unpack(f"<{count}Q", table)
        here = file.tell()
        lead = 12 if len(parts) > 1 else 8  # part number, line, length
        file.seek(max(offsets))
        head = file.read(lead)
        (length,) = struct.unpack("<I", head[-4:]) if len(head) == lead else (0,)
        if min(offsets) == 0 or len(head) != lead or max(offsets) + lead + length > size:
            raise _Bad("its pixels are not all there")
        file.seek(here)
