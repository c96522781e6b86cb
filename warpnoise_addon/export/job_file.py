"""``job.json``, schema 2 (docs/architecture.md), which is made from a record for each finished file.

Several machines may export parts of a job into one folder. Each writes records for its own files, and any of them can
make ``job.json`` from the records. The records also let an interrupted export continue.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy

from ..bounded_json import read_json
from ..errors import ExportError, writing
from ..frame_ranges import frame_name
from ..version import VERSION
from .export_options import ExportOptions
from .files import JobFolder, is_whole, mutex
from .frame_state import FrameState
from .rendering import render_size

SCHEMA = 2
_Record = dict[str, Any]


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
        "averaged_vectors": options.passes_source is not None,
    }


class JobFile:
    """The records of a job's files, and ``job.json``.

    A record says for which scene block and from which .blend file its picture was made. It counts if the scene block is
    ours, and: it was written here, or the options say to keep what is there, or this is the export of a part, and
    the file's bytes are the same.
    """

    def __init__(self, folder: JobFolder, scene: dict[str, Any], options: ExportOptions) -> None:
        self._folder = folder
        self._path = folder.path / "job.json"
        self._records = folder.path / "records"
        self._options = options
        self._source = _digest_of_open_file()
        self._head = {"schema": SCHEMA, "scene": scene}
        self._own: set[Path] = set()

    def start(self) -> None:
        """From here on, ``job.json`` lists no frame that is missing or will be made again."""
        if self._options.color_frames is not None:
            self._assemble()
            return
        with writing(self._path):
            self._path.unlink(missing_ok=True)
            if not self._options.keep_existing:
                for frame in self._options.frames:
                    for kind in ("color", "passes"):
                        self._file(kind, frame).unlink(missing_ok=True)

    def has(self, kind: str, frame: int) -> bool:
        """Whether the frame's "color" or "passes", which another machine may have made, need not be made again."""
        record = self._read(kind, frame)
        return record is not None and is_whole(self._folder.picture(kind, frame), record.get("bytes", 1))

    def add_color(self, frame: int) -> None:
        """Records that the frame's colour is finished."""
        self._write("color", frame, {})

    def add_passes(self, frame: int, state: FrameState) -> None:
        """Records that the frame's passes are finished."""
        content = {"camera": state.camera, "objects": state.objects, "topologies": state.topologies}
        self._write("passes", frame, {"bytes": self._folder.picture("passes", frame).stat().st_size, **content})

    def finish(self) -> None:
        """Writes ``job.json``: of all frames, or of as many first ones as there are records of.

        Raises:
            ExportError: somebody removed a record in the meantime.
        """
        self._assemble()
        missing = [frame for frame in self._options.rendered_frames if self._read("passes", frame) is None]
        if missing:
            raise ExportError(
                "'{file}' is missing, or belongs to another export that uses the same folder. Export again, into "
                "another folder.",
                file=self._file("passes", missing[0]),
            )

    def _assemble(self) -> None:
        """Makes ``job.json`` of the records; without any it is taken away."""
        with writing(self._path), mutex(self._folder.path):
            lines = [json.dumps(entry) for entry in self._entries()]
            if not lines:
                self._path.unlink(missing_ok=True)
                return
            content = {
                "schema": SCHEMA,
                "generator": f"warpnoise-addon {VERSION}, Blender {bpy.app.version_string}",
                "scene": self._head["scene"],
                "frames": [],
                "settings": dict(self._options.settings),
            }
            # One frame a line: readable, and small.
            frames = ",\n    ".join(lines)
            text = json.dumps(content, indent=2).replace('"frames": []', f'"frames": [\n    {frames}\n  ]', 1)
            self._replace(self._path, text)

    def _entries(self) -> Iterator[_Record]:
        """``frames`` of ``job.json``, up to the first frame that has no record."""
        before: _Record | None = None
        for frame in self._options.frames:
            record = self._read("passes", frame)
            if record is None:
                return
            last = before or record
            known, objects = before["objects"] if before else {}, record["objects"]
            changed = {name: rows for name, rows in objects.items() if known.get(name) != rows}
            yield {
                "frame": frame,
                "camera": record["camera"],
                "cut": any(last["camera"][key] != record["camera"][key] for key in ("name", "type")),
                "objects": changed | {name: None for name in known if name not in objects},
                "unknown_motion": sorted(
                    name
                    for name, topology in record["topologies"].items()
                    if last["topologies"].get(name, topology) != topology
                ),
            }
            before = record

    def _file(self, kind: str, frame: int) -> Path:
        return self._records / kind / f"{frame_name(frame)}.json"

    def _write(self, kind: str, frame: int, content: _Record) -> None:
        path = self._file(kind, frame)
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._own.add(path)
            self._replace(path, json.dumps({**self._head, "source": self._source, "frame": frame, **content}))

    def _read(self, kind: str, frame: int) -> _Record | None:
        """A record that counts."""
        path, options = self._file(kind, frame), self._options
        try:
            record = read_json(path)
            if {key: record[key] for key in self._head} != self._head or record["frame"] != frame:
                return None
            same_file = self._source is not None and record["source"] == self._source
            if kind == "passes" and not all(
                isinstance(record[key], dict) for key in ("camera", "objects", "topologies")
            ):
                return None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        counts = options.keep_existing or path in self._own or (options.color_frames is not None and same_file)
        return record if counts else None

    def _replace(self, path: Path, text: str) -> None:
        unfinished = self._folder.unfinished(path)
        unfinished.write_text(text + "\n", encoding="utf-8")
        unfinished.replace(path)


def _digest_of_open_file() -> str | None:
    """Of the .blend file as it is on disk; None where the open file has none."""
    try:
        with Path(bpy.data.filepath).open("rb") as file:
            return hashlib.file_digest(file, "blake2b").hexdigest()[:32]
    except OSError:
        return None
