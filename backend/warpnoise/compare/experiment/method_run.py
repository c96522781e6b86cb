"""A run of one method with one seed on one task. Its result lies outside the job folder's results."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from warpnoise.errors import JobError, MediaError
from warpnoise.job import Result, Settings, Shot
from warpnoise.media.atomic import write_bytes
from warpnoise.media.json_file import read_json
from warpnoise.pipeline import stylize
from warpnoise.progress import Progress


class Run:
    """The shot that is compared on, with ``color``'s pictures, and the result of one method and seed in ``folder``.

    The comparison locks its whole folder.
    """

    def __init__(self, shot: Shot, folder: Path, color: Callable[[int], Path]) -> None:
        self.shot = shot.with_color(color)
        self.result = Result(folder)

    def make(self, settings: Settings, listen: Callable[[Progress], None], **options: Any) -> None:
        """Stylize what is unfinished, and keep account of the time that computing and writing took.

        ``options``: as of ``stylize``, which raises likewise.
        """
        started: float | None = None
        frames, seconds, fresh = 0, 0.0, True

        def watch(now: Progress) -> None:
            nonlocal started, frames, seconds, fresh
            fresh = now.frames_kept == 0
            if now.stage == "stylizing":
                started = started or time.monotonic()
            if started is not None and now.stage in ("stylizing", "accumulating", "encoding"):
                frames, seconds = now.frames_done - now.frames_kept, time.monotonic() - started
            listen(now)

        try:
            stylize(self.shot, settings, result=self.result, progress=watch, **options)
        finally:
            if frames:
                before = (0, 0.0) if fresh else self._time()
                content = {"frames": before[0] + frames, "seconds": before[1] + seconds}
                write_bytes(self.result.folder / "time.json", json.dumps(content).encode(), error=JobError)

    def seconds_per_frame(self) -> float | None:
        """Of computing, writing included, loading the model not; None: not known."""
        frames, seconds = self._time()
        return seconds / frames if frames else None

    def _time(self) -> tuple[int, float]:
        try:
            content = read_json(self.result.folder / "time.json")
            return int(content["frames"]), float(content["seconds"])
        except (MediaError, ValueError, KeyError, TypeError):
            return 0, 0.0
