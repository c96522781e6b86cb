"""The passes of an uncompressed multilayer EXR file of one part, read with numpy: nothing of the add-on's own.

The OpenEXR library's wheel cannot be loaded into a Blender that brings another version of it.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Passes:
    """``depth`` (h, w) float32; ``vector`` (h, w, 4) float32, as in the file; ``surface`` (h, w) uint32, rank 0;
    ``names``: surface by object name."""

    depth: np.ndarray
    vector: np.ndarray
    surface: np.ndarray
    names: dict[str, int]

    def where(self, name: str) -> np.ndarray:
        """(h, w) bool: the pixels that show the object."""
        return self.surface == self.names[name]

    def shown(self) -> set[str]:
        """The names of all objects that some pixel shows."""
        present = set(np.unique(self.surface).tolist())
        return {name for name, surface in self.names.items() if surface in present}


def read_passes(path: Path) -> Passes:
    header, channels = read_exr(path)
    passes = {".".join(name.split(".")[-2:]): values for name, values in channels.items()}
    manifest = next(v for k, v in header.items() if k.startswith("cryptomatte/") and k.endswith("/manifest")).decode()
    return Passes(
        passes["Depth.Z"],
        np.stack([passes[f"Vector.{letter}"] for letter in "XYZW"], axis=-1),
        passes["CryptoObject00.r"].view(np.uint32),
        # It looks like JSON, but quotes in names are not escaped.
        {name: int(value, 16) for name, value in re.findall(r'(?<=[{,])"(.*?)":"([0-9a-f]{8})"', manifest)},
    )


def read_exr(path: Path) -> tuple[dict[str, bytes], dict[str, np.ndarray]]:
    """The attributes, and (h, w) float32 channels by name, of a file of 32-bit channels."""
    data = path.read_bytes()
    magic, version = struct.unpack_from("<II", data)
    assert (magic, version & 0xFF) == (20000630, 2)
    assert not version & 0x1200, "neither tiles nor several parts"
    header, at = _attributes(data, 8)
    assert header["compression"] == b"\0", "compressed"
    x0, y0, x1, y1 = struct.unpack("<4i", header["dataWindow"])
    width, height = x1 - x0 + 1, y1 - y0 + 1
    names = _channels(header["channels"])
    offsets = np.frombuffer(data, "<u8", height, at)
    values = np.empty((len(names), height, width), np.float32)
    for offset in offsets.tolist():
        y, _ = struct.unpack_from("<ii", data, offset)
        row = np.frombuffer(data, "<f4", len(names) * width, offset + 8)
        values[:, y - y0] = row.reshape(len(names), width)
    return header, dict(zip(names, values, strict=True))


def _attributes(data: bytes, at: int) -> tuple[dict[str, bytes], int]:
    found = {}
    while data[at]:
        name, at = _text(data, at)
        _, at = _text(data, at)
        (size,) = struct.unpack_from("<I", data, at)
        found[name] = data[at + 4 : at + 4 + size]
        at += 4 + size
    return found, at + 1


def _channels(data: bytes) -> list[str]:
    names, at = [], 0
    while data[at]:
        name, at = _text(data, at)
        assert struct.unpack_from("<i", data, at) == (2,), f"{name} is not of 32-bit floats"
        names.append(name)
        at += 16
    return names


def _text(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(b"\0", at)
    return data[at:end].decode(), end + 1
