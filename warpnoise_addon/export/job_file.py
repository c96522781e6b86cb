"""``job.json``, schema 1 (docs/architecture.md), and the record that lets an interrupted export go on."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from ..version import VERSION
from .cameras import CameraState
from .files import JobFolder, is_whole, reported
from .frame_state import FrameState
from .options import ExportOptions
from .rendering import render_size

SCHEMA = 1


def scene_block(scene: bpy.types.Scene, options: ExportOptions, transparent: bool) -> dict[str, Any]:
    """``scene`` of ``job.json``."""
    width, height = render_size(scene)
    return {
        "name": scene.name,
        "fps": scene.render.fps / scene.render.fps_base,
        "frame_start": options.frame_start,
        "frame_end": options.frame_end,
        "frame_step": options.frame_step,
        "width": width,
        "height": height,
        "display": scene.display_settings.display_device,
        "view_transform": scene.view_settings.view_transform,
        "look": scene.view_settings.look,
        "transparent": transparent,
    }


class JobFile:
    """Collects the frames of a job, and writes ``job.json`` when all are there.

    Until then there is no ``job.json``, but ``export.jsonl``: a line for the scene and one for each finished frame.
    """

    def __init__(self, folder: JobFolder, scene: dict[str, Any], options: ExportOptions) -> None:
        self._folder = folder
        self._path = folder.path / "job.json"
        self._log = folder.path / "export.jsonl"
        self._head = {"schema": SCHEMA, "scene": scene}
        self._options = options
        self._frames: list[dict[str, Any]] = []
        self._objects: dict[str, npt.NDArray[np.float64]] = {}

    def start(self) -> int:
        """Begins the record and returns the number of frames that need not be made again: the first ones whose files an
        earlier export of the same scene and range left whole, where the options say to keep them. From here on the
        folder is unfinished: ``job.json`` is taken away.
        """
        if self._options.keep_existing:
            for frame, entry in zip(self._options.frames, self._earlier(), strict=False):
                whole = is_whole(self._folder.color(frame)) and is_whole(self._folder.passes(frame))
                if entry.get("frame") != frame or not whole:
                    break
                self._remember(entry)
        with reported(self._log):
            _write_whole(self._log, "".join(json.dumps(line) + "\n" for line in [self._head, *self._frames]))
            self._path.unlink(missing_ok=True)
        return len(self._frames)

    def add(self, frame: int, state: FrameState) -> None:
        """Adds a finished frame."""
        changed: dict[str, Any] = {
            name: _rows(matrix)
            for name, matrix in state.objects.items()
            if name not in self._objects or not np.array_equal(self._objects[name], matrix)
        }
        changed |= {name: None for name in self._objects if name not in state.objects}
        camera = state.camera
        entry = {
            "frame": frame,
            "camera": {
                "name": camera.name,
                "type": camera.kind,
                "world": _rows(camera.world),
                "projection": _rows(camera.projection),
            },
            "cut": bool(self._frames) and _other_camera(self._frames[-1]["camera"], camera),
            "objects": changed,
        }
        with reported(self._log), self._log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        self._remember(entry)

    def finish(self) -> None:
        """Writes ``job.json``, and lets go of the record of the unfinished export."""
        content = {
            "schema": SCHEMA,
            "generator": f"warpnoise-addon {VERSION}, Blender {bpy.app.version_string}",
            "scene": self._head["scene"],
            "frames": [],
            "settings": asdict(self._options.settings),
        }
        # One frame a line: readable, and small.
        frames = ",\n    ".join(json.dumps(frame) for frame in self._frames)
        text = json.dumps(content, indent=2).replace('"frames": []', f'"frames": [\n    {frames}\n  ]', 1)
        with reported(self._path):
            _write_whole(self._path, text + "\n")
            self._log.unlink(missing_ok=True)

    def _earlier(self) -> list[dict[str, Any]]:
        """The frames of an earlier export, finished or not, of the same scene block; none where it was another one."""
        try:
            if self._path.exists():
                job = json.loads(self._path.read_text(encoding="utf-8"))
                head, entries = {key: job.get(key) for key in self._head}, job["frames"]
            else:
                # The last line may have been cut off.
                lines = self._log.read_text(encoding="utf-8").split("\n")[:-1]
                head, *entries = [json.loads(line) for line in lines]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return []
        return entries if head == self._head else []

    def _remember(self, entry: dict[str, Any]) -> None:
        for name, rows in entry["objects"].items():
            if rows is None:
                self._objects.pop(name, None)
            else:
                self._objects[name] = np.array(rows)
        self._frames.append(entry)


def _other_camera(before: dict[str, Any], camera: CameraState) -> bool:
    return (before["name"], before["type"]) != (camera.name, camera.kind)


def _rows(matrix: npt.NDArray[np.float64]) -> list[list[float]]:
    # Blender's matrices are of single precision: nine digits say all of it.
    return [[float(f"{value:.9g}") for value in row] for row in matrix]


def _write_whole(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".part")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
