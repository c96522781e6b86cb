"""An interrupted run: ``JOB/records/run.json``, which is written with the first frame and removed at the end.

When the file is opened again, the panel offers to continue the run with its settings. Imports no bpy.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path

from ..atomic import atomic_write
from ..bounded_json import read_json
from ..errors import SettingsError
from ..frame_ranges import frame_name, frames_text, parse_shot
from ..results import list_results
from ..settings import Settings, make_settings, same_settings
from .request import StylizeRequest

RECORD = "records/run.json"


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


def begin(request: StylizeRequest) -> None:
    """Tell of the run as unfinished, from the first frame on that is rendered. Parts of a job are not told of."""
    path = request.folder / RECORD
    if request.color_frames is None:
        # A folder that cannot be written is reported by what writes the frames.
        with contextlib.suppress(OSError):
            content = {"frames": frames_text(request.frames), "settings": dict(request.settings)}
            atomic_write(path, json.dumps(content) + "\n")


def finish(request: StylizeRequest) -> None:
    """The run is done."""
    if request.color_frames is None:
        with contextlib.suppress(OSError):
            (request.folder / RECORD).unlink(missing_ok=True)


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
    rendered = [number for number in frames if (job / "color" / f"{frame_name(number)}.png").is_file()]
    results = [result for result in list_results(job) if same_settings(settings, result.settings)]
    stylized = max((sum(_newer(job, result.folder, number) for number in rendered) for result in results), default=0)
    return Unfinished(frames, settings, len(rendered), stylized) if stylized < len(frames) else None


def _newer(job: Path, result: Path, frame: int) -> bool:
    """Whether the frame was finished after it was rendered."""
    name = frame_name(frame)
    try:
        record = (result / "records" / f"{name}.json").stat()
        return record.st_mtime_ns >= (job / "color" / f"{name}.png").stat().st_mtime_ns
    except OSError:
        return False
