"""A run of one method with one seed on one task, and the progress of all of them."""

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
from warpnoise.progress import Progress, Stage


class Run:
    """The shot with the pictures of ``color``, and the result of one method and seed in ``folder``, which lies outside
    the job folder's results."""

    def __init__(self, shot: Shot, folder: Path, color: Callable[[int], Path]) -> None:
        self.shot = shot.with_color(color)
        self.result = Result(folder)

    def make(self, settings: Settings, listen: Callable[[Progress], None], **options: Any) -> None:
        """Stylize what is unfinished, and keep account of the time that computing and writing took.

        ``options``: as of ``stylize``, which raises likewise.
        """
        seen: list[tuple[float, Progress]] = []  # the first and the last report of the computing

        def watch(now: Progress) -> None:
            if now.stage == "stylizing" or (seen and now.stage in ("accumulating", "encoding")):
                seen[1:] = [(time.monotonic(), now)]
            listen(now)

        try:
            stylize(self.shot, settings, result=self.result, progress=watch, **options)
        finally:
            last = seen[-1][1] if seen else None
            if last is not None and last.frames_done > last.frames_kept:
                frames, seconds = self._time() if last.frames_kept else (0, 0.0)
                frames, seconds = frames + last.frames_done - last.frames_kept, seconds + seen[-1][0] - seen[0][0]
                content = json.dumps({"frames": frames, "seconds": seconds})
                write_bytes(self.result.folder / "time.json", content.encode(), error=JobError)

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


class Meter:
    """Holds the progress and reports it."""

    def __init__(self, listener: Callable[[Progress], None] | None) -> None:
        self.now = Progress(stage="reading", frames_total=0)
        self._listener = listener
        self._started, self._announced = time.monotonic(), 0

    def begin(self, stage: Stage, total: int) -> None:
        """``total``: frames of all sequences of this stage."""
        self._started, self._announced = time.monotonic(), 0
        self._report(stage=stage, what="", frames_done=0, frames_total=total, seconds_left=None)

    def sequence(self, what: str, frames: int) -> None:
        """The next sequence begins; those before are done."""
        self.at(what, self._announced, made=self._announced)
        self._announced += frames

    def at(self, what: str, done: int, *, made: int = 0) -> None:
        """``made``: how many of ``done`` were made in this run; the others were there before."""
        seconds = time.monotonic() - self._started
        left = seconds / made * (self.now.frames_total - done) if made else None
        self._report(what=what, frames_done=done, seconds_left=left)

    def warn(self, *warnings: str) -> None:
        """Reports each warning once."""
        if new := tuple(dict.fromkeys(text for text in warnings if text not in self.now.warnings)):
            self._report(warnings=self.now.warnings + new)

    def _report(self, **changes: object) -> None:
        self.now = self.now.model_copy(update=changes)
        if self._listener is not None:
            self._listener(self.now)
