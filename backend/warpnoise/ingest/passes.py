"""Multilayer EXR files with the passes of a frame: checks their headers, then copies them."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import OpenEXR

from warpnoise.errors import MediaError
from warpnoise.media.exr import damaged, read_header, read_passes

CODECS = {
    int(getattr(OpenEXR, name)): name.removesuffix("_COMPRESSION")
    for name in dir(OpenEXR)
    if name.endswith("_COMPRESSION")
}
LOSSLESS = frozenset({"NO", "RLE", "ZIPS", "ZIP", "PIZ", "B44", "B44A", "HTJ2K32", "HTJ2K256", "ZSTD"})
"""Codecs that keep every bit of 32-bit floats. PXR24 rounds all to 24 bits, which destroys Cryptomatte's hashes; DWAA
and DWAB are lossy in channels named R, G, B or Y, thus in ``Vector.Y``. B44 compresses 16-bit channels only."""


def check_exr(path: Path, *, passes: bool) -> tuple[int, int]:
    """Width and height in pixels, by the header.

    Args:
        passes: the file has the passes that a job needs.

    Raises:
        MediaError: the file is missing, cut off or no OpenEXR file; or it lacks a pass, has values of 16 bits, or was
            compressed with loss.
    """
    with _existing(path, path):
        layout = read_header(path, passes=passes)
        try:
            complete = OpenEXR.InputFile(str(path)).isComplete()  # a writer fills the table of chunks last
        except Exception as error:  # OpenEXR raises whatever its layers raise
            raise damaged(path, " ".join(str(error).split())) from None
        if not complete:
            raise damaged(path, "some of its pixels are missing")
    lossy = {CODECS[part.attributes["compression"][1][0]] for part in layout.parts} - LOSSLESS
    if passes and lossy:
        raise MediaError(
            f"'{path}' is compressed with {', '.join(sorted(lossy))}, which changes motion vectors and object hashes. "
            "Render with the codec ZIP, PIZ or None again, or let Warpnoise render the motion."
        )
    return layout.parts[0].size


def copy_passes(path: Path, target: Path) -> None:
    """Copy the file, and decode all that a job needs of it.

    Raises:
        MediaError: the file is cut off or damaged.
        OSError: it cannot be copied.
    """
    shutil.copyfile(path, target)
    with _existing(target, path):
        read_passes(target)


@contextlib.contextmanager
def _existing(path: Path, source: Path) -> Iterator[None]:
    """Messages about ``path`` name ``source``, and advise what helps with files of the user's own."""
    try:
        yield
    except MediaError as error:
        text = str(error).replace(str(path), f"'{source}'").replace("Export this frame", "Render or copy this frame")
        raise MediaError(text) from None
