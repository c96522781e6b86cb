"""The parameters of a run, as plain values that can be passed to threads and other processes. Imports no bpy.

``JOB/records/run.json`` holds those of a run from its first frame to its end. If it was interrupted, the panel offers
to continue it with its settings when the file is opened again.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..atomic import atomic_write
from ..bounded_json import read_json
from ..errors import SettingsError
from ..export.export_options import ExportOptions
from ..frame_ranges import frame_name, frames_text, parse_shot, shot_file
from ..results import list_results
from ..settings import Settings, make_settings, same_settings
from ..setup.plan import Plan

RECORD = "records/run.json"


@dataclass(frozen=True)
class BackendChoice:
    """Which backend: the one that runs at ``url`` if that is set, else one that we start with ``python``.

    Empty texts are not set (see `backend.locate`). ``device`` None, ``batch`` None and what ``memory`` lacks of
    `settings.MEMORY` leave the choice to the backend.
    ``exclusive``: the environment's variables do not win. ``delete_after``: a server elsewhere shall keep nothing of
    the frames. ``offline``: why a server elsewhere may not be asked; empty: it may. ``update``: what brings the backend
    of this extension into the environment of ``python``; None: it is there.
    """

    python: str = ""
    url: str = ""
    token_file: str = ""
    device: str | None = None
    batch: int | None = None
    memory: Mapping[str, str] = field(default_factory=dict)
    delete_after: bool = False
    exclusive: bool = False
    offline: str = ""
    update: Plan | None = None


@dataclass(frozen=True, kw_only=True)
class StylizeRequest(ExportOptions):
    """One run: an export, and what becomes of it.

    ``preview``: its one frame is to be looked at; no result is touched. ``connect``: see `compositor.add_stylized`.
    ``frame_size``: width and height of the frames in pixels.
    """

    scene: str
    frame_size: tuple[int, int] | None = None
    preview: bool = False
    connect: bool = False
    backend: BackendChoice = field(default_factory=BackendChoice)

    @property
    def nothing_to_do(self) -> bool:
        """A farm may have more chunks than the shot has frames."""
        return self.color_frames is not None and not self.color_frames

    def record_begun(self) -> None:
        """Record the run as unfinished, from its first rendered frame on. Parts of a job are not recorded."""
        if self.color_frames is None:
            # A folder that cannot be written is reported by what writes the frames.
            with contextlib.suppress(OSError):
                content = {"frames": frames_text(self.frames), "settings": dict(self.settings)}
                atomic_write(self.folder / RECORD, json.dumps(content) + "\n")

    def record_finished(self) -> None:
        """Remove that record."""
        if self.color_frames is None:
            with contextlib.suppress(OSError):
                (self.folder / RECORD).unlink(missing_ok=True)


@dataclass(frozen=True)
class Unfinished:
    """A run that was begun: what for, and how far it is."""

    frames: range
    settings: Settings
    rendered: int
    stylized: int

    @property
    def total(self) -> int:
        return len(self.frames)


def unfinished(job: Path) -> Unfinished | None:
    """The run that was begun in the job folder and is not done; None: there is none, or its record is damaged.

    With frames that are all stylized it is done, whoever did it.
    """
    try:
        content = read_json(job / RECORD)
        frames = parse_shot(content["frames"])
        settings = make_settings(**content["settings"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SettingsError):
        return None
    rendered = [number for number in frames if (job / shot_file("color", number)).is_file()]
    results = [result for result in list_results(job) if same_settings(settings, result.settings)]
    stylized = max((sum(_newer(job, result.folder, number) for number in rendered) for result in results), default=0)
    return Unfinished(frames, settings, len(rendered), stylized) if stylized < len(frames) else None


def _newer(job: Path, result: Path, frame: int) -> bool:
    """Whether the frame was finished after it was rendered."""
    try:
        finished = (result / "records" / f"{frame_name(frame)}.json").stat()
        return finished.st_mtime_ns >= (job / shot_file("color", frame)).stat().st_mtime_ns
    except OSError:
        return False
