"""The exporter's child process: requests on standard input, answers on standard output, a line of JSON each.

    {"check": {"size": [W, H], "color": {"folder": F, "frames": [FRAME, ...]}, "passes": {...}}}
        -> {"alpha": BOOL, "scene_linear": BOOL}      some picture has alpha; some picture is an EXR file
    {"color": FRAME, "target": FILE.png, "alpha": BOOL}
        -> {"scene_linear": null | FILE.exr}          written; or an EXR file, for Blender's view transform
    {"passes": FRAME, "target": FILE.exr}
        -> {}                                          written
    any -> {"error": SENTENCE}

``color`` and ``passes`` of a check may be null. The process ends when standard input closes. Passes come in multilayer
EXR files, which are checked by their headers, then copied.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

import OpenEXR

from warpnoise.errors import MediaError
from warpnoise.ingest import display_referred
from warpnoise.media.exr import damaged, read_header, read_passes
from warpnoise.media.json_file import parse_json
from warpnoise.media.numbered_files import numbered_files
from warpnoise.media.png import write_png

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


EXR = ".exr"


def serve(requests: Iterable[str], answers: TextIO) -> None:
    """Answer each request until there are no more."""
    color: dict[int, Path] = {}
    passes: dict[int, Path] = {}
    for line in requests:
        answer: dict[str, Any] = {}
        try:
            request = parse_json(line.encode(), "the request")
            if "check" in request:
                color, passes, answer = _check(**request["check"])
            elif "color" in request:
                answer = _write_color(color[request["color"]], Path(request["target"]), request["alpha"])
            else:
                copy_passes(passes[request["passes"]], Path(request["target"]))
        except (MediaError, OSError) as error:
            answer = {"error": str(error)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _check(
    size: tuple[int, int], color: dict[str, Any] | None, passes: dict[str, Any] | None
) -> tuple[dict[int, Path], dict[int, Path], dict[str, bool]]:
    """The file of each frame's picture and passes, and the answer. Raises MediaError."""
    pictures_of, passes_of = _files(color, (*display_referred.SUFFIXES, EXR)), _files(passes, (EXR,))
    alpha = scene_linear = False
    for path in pictures_of.values():
        if path.suffix.lower() == EXR:
            scene_linear = True
            _check_size(path, check_exr(path, passes=False), size)
        else:
            header = display_referred.read_header(path)
            _check_size(path, header.size, size)
            alpha |= header.alpha
    for path in passes_of.values():
        _check_size(path, check_exr(path, passes=True), size)
    return pictures_of, passes_of, {"alpha": alpha, "scene_linear": scene_linear}


def _write_color(path: Path, target: Path, alpha: bool) -> dict[str, Any]:
    if path.suffix.lower() == EXR:
        return {"scene_linear": str(path)}
    write_png(target, display_referred.read_picture(path, alpha=alpha))
    return {"scene_linear": None}


def _files(given: dict[str, Any] | None, suffixes: tuple[str, ...]) -> dict[int, Path]:
    return {} if given is None else numbered_files(Path(given["folder"]), suffixes, given["frames"])


def _check_size(path: Path, size: tuple[int, int], expected: tuple[int, int]) -> None:
    if size != tuple(expected):
        raise MediaError(
            f"'{path}' is {size[0]} x {size[1]} pixels, the scene renders {expected[0]} x {expected[1]}. Set the "
            "scene's resolution to that of the frames, or render them again."
        )
