"""The one thing about TIFF files that Blender does not tell: whether their colour is multiplied by alpha."""

from __future__ import annotations

import struct
from pathlib import Path

_EXTRA_SAMPLES, _ASSOCIATED = 338, 1


def has_associated_alpha(path: Path) -> bool:
    """Whether the file says that its colour is multiplied by alpha (tag ExtraSamples of TIFF 6.0, section 18).

    False for what is not a TIFF file of version 42. Raises OSError.
    """
    with path.open("rb") as file:
        order = {b"II": "<", b"MM": ">"}.get(file.read(2))
        try:
            if order is None or struct.unpack(f"{order}H", file.read(2)) != (42,):
                return False
            file.seek(*struct.unpack(f"{order}I", file.read(4)))
            (count,) = struct.unpack(f"{order}H", file.read(2))
            for _ in range(count):
                tag, _, _, value = struct.unpack(f"{order}HHIH2x", file.read(12))
                if tag == _EXTRA_SAMPLES:
                    return bool(value == _ASSOCIATED)
        except struct.error:
            pass
    return False
