"""The exporter's child process: requests on standard input, answers on standard output, a line of JSON each.

    {"check": {"size": [W, H], "color": {"folder": F, "frames": [START, END, STEP]}, "passes": {...}}}
        -> {"alpha": BOOL, "scene_linear": BOOL}      some picture has alpha; some picture is an EXR file
    {"color": FRAME, "target": FILE.png, "alpha": BOOL}
        -> {"scene_linear": null | FILE.exr}          written; or an EXR file, for Blender's view transform
    {"passes": FRAME, "target": FILE.exr}
        -> {}                                          written
    any -> {"error": SENTENCE}

``color`` and ``passes`` of a check may be null. The process ends when standard input closes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

from warpnoise.errors import MediaError
from warpnoise.ingest.passes import check_exr, copy_passes
from warpnoise.ingest.pictures import SUFFIXES, read_header, read_picture
from warpnoise.media.json_file import parse_json
from warpnoise.media.numbered_files import numbered_files
from warpnoise.media.png import write_png

EXR = ".exr"


def serve(requests: Iterable[str], answers: TextIO) -> None:
    """Answer each request until there are no more."""
    service = _Service()
    for line in requests:
        try:
            answer = service.answer(parse_json(line.encode(), "the request"))
        except (MediaError, OSError) as error:
            answer = {"error": str(error)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


class _Service:
    def __init__(self) -> None:
        self._color: dict[int, Path] = {}
        self._passes: dict[int, Path] = {}

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Raises MediaError, OSError."""
        if "check" in request:
            return self._check(**request["check"])
        if "color" in request:
            return self._write_color(request["color"], Path(request["target"]), request["alpha"])
        copy_passes(self._passes[request["passes"]], Path(request["target"]))
        return {}

    def _check(
        self, size: tuple[int, int], color: dict[str, Any] | None, passes: dict[str, Any] | None
    ) -> dict[str, Any]:
        alpha = scene_linear = False
        if color is not None:
            self._color = numbered_files(Path(color["folder"]), (*SUFFIXES, EXR), _frames(color))
        for path in self._color.values():
            if path.suffix.lower() == EXR:
                scene_linear = True
                _check_size(path, check_exr(path, passes=False), size)
            else:
                header = read_header(path)
                _check_size(path, header.size, size)
                alpha |= header.alpha
        if passes is not None:
            self._passes = numbered_files(Path(passes["folder"]), (EXR,), _frames(passes))
        for path in self._passes.values():
            _check_size(path, check_exr(path, passes=True), size)
        return {"alpha": alpha, "scene_linear": scene_linear}

    def _write_color(self, frame: int, target: Path, alpha: bool) -> dict[str, Any]:
        path = self._color[frame]
        if path.suffix.lower() == EXR:
            return {"scene_linear": str(path)}
        write_png(target, read_picture(path, alpha=alpha))
        return {"scene_linear": None}


def _frames(given: dict[str, Any]) -> range:
    start, end, step = given["frames"]
    return range(start, end + 1, step)


def _check_size(path: Path, size: tuple[int, int], expected: tuple[int, int]) -> None:
    if size != tuple(expected):
        raise MediaError(
            f"'{path}' is {size[0]} x {size[1]} pixels, the scene renders {expected[0]} x {expected[1]}. Set the "
            "scene's resolution to that of the frames, or render them again."
        )
