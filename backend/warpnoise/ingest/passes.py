"""Multilayer EXR files that hold the passes of a frame: checked by their headers, then copied."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import OpenEXR

from warpnoise.errors import MediaError
from warpnoise.media.exr import read_passes

LOSSLESS = frozenset({"NO", "RLE", "ZIPS", "ZIP", "PIZ", "B44", "B44A", "HTJ2K32", "HTJ2K256", "ZSTD"})
"""Codecs that keep every bit of 32-bit floats. PXR24 rounds all to 24 bits, which destroys Cryptomatte's hashes; DWAA
and DWAB are lossy in channels named R, G, B or Y, thus in ``Vector.Y``. B44 compresses 16-bit channels only."""
# Name in the file, its channels, and the switch in Blender.
_NEEDED = (
    ("Depth", "Z", "Data: Z"),
    ("Vector", "XYZW", "Data: Vector, with motion blur off"),
    ("CryptoObject00", "RGBA", "Cryptomatte: Object"),
)


@dataclass(frozen=True)
class ExrHeader:
    """``passes``: for each pass of any view layer its channels' letters, upper case."""

    width: int
    height: int
    codecs: frozenset[str]
    passes: dict[str, set[str]]


def read_exr_header(path: Path) -> ExrHeader:
    """The header of all parts; no pixels.

    Raises:
        MediaError: the file is missing, is not an OpenEXR file, or has a damaged header.
    """
    try:
        parts = OpenEXR.File(str(path), header_only=True).parts
        x0, y0, x1, y1 = (int(value) for corner in parts[0].header["dataWindow"] for value in corner)
        passes: dict[str, set[str]] = {}
        for part in parts:
            for channel in part.header["channels"]:
                name = channel.name if "." in channel.name else f"{part.name()}.{channel.name}"
                pass_name, letter = name.split(".")[-2:]
                passes.setdefault(pass_name, set()).add(letter.upper())
        codecs = {str(part.compression()).rpartition(".")[2].removesuffix("_COMPRESSION") for part in parts}
        # A writer fills this table last.
        complete = OpenEXR.InputFile(str(path)).isComplete()
    except Exception as error:  # OpenEXR raises whatever its layers raise
        raise _not_whole(path, " ".join(str(error).split())) from None
    if not complete:
        raise _not_whole(path, "some of its pixels are missing")
    return ExrHeader(x1 - x0 + 1, y1 - y0 + 1, frozenset(codecs), passes)


def check_passes(path: Path, header: ExrHeader) -> None:
    """Raises MediaError for a file without a pass that is needed, or of a lossy codec."""
    for name, letters, switch in _NEEDED:
        if not set(letters) <= header.passes.get(name, set()):
            raise MediaError(
                f"'{path}' has no pass {name} ({', '.join(letters)}); it has "
                f"{', '.join(sorted(header.passes)) or 'none'}. Switch on '{switch}' in the view layer's passes and "
                "render to OpenEXR MultiLayer again, or let Warpnoise render the motion."
            )
    if lossy := header.codecs - LOSSLESS:
        raise MediaError(
            f"'{path}' is compressed with {', '.join(sorted(lossy))}, which changes motion vectors and object hashes. "
            "Render with the codec ZIP, PIZ or None again, or let Warpnoise render the motion."
        )


def copy_passes(path: Path, target: Path) -> None:
    """Copy the file, and decode all that a job needs of it.

    Raises:
        MediaError: the file is cut off or damaged.
        OSError: it cannot be copied.
    """
    shutil.copyfile(path, target)
    decode_passes(target, path)


def decode_passes(path: Path, shown: Path) -> None:
    """Decode all that a job needs of the file, which messages call ``shown``.

    Raises:
        MediaError: the file is cut off or damaged, or its passes have 16 bits.
    """
    try:
        read_passes(path)
    except MediaError as error:
        reason = str(error).replace(str(path), shown.name)
        raise _not_whole(shown, reason.removesuffix(" Export this frame again.").rstrip(".")) from None


def _not_whole(path: Path, reason: str) -> MediaError:
    return MediaError(f"'{path}' is not a whole OpenEXR file ({reason}). Render or copy this frame again.")
