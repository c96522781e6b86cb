"""A run: one method with one seed on one task, whose result lies outside of the job folder's results."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from warpnoise.errors import JobError, MediaError
from warpnoise.job import Result, Settings, Shot
from warpnoise.media.atomic import write_bytes
from warpnoise.media.json_file import read_json
from warpnoise.pipeline import stylize
from warpnoise.progress import Progress
from warpnoise.sdedit.editor import Editor


class Run:
    """The shot that is compared on, with ``color``'s pictures, and the result of one method and seed in ``folder``.

    The comparison locks its whole folder.
    """

    def __init__(self, shot: Shot, folder: Path, color: Callable[[int], Path]) -> None:
        self.shot = shot.with_color(color)
        self.folder = folder
        self.result = Result(folder)

    def make(
        self,
        settings: Settings,
        *,
        device: str | None,
        dtype: str | None,
        batch: int | None,
        progress: Callable[[Progress], None],
        cancelled: Callable[[], bool] | None,
        load: Callable[[str, str | None, str | None], Editor],
    ) -> None:
        """Stylize what is unfinished, and keep account of the time. Raises as ``stylize`` does."""
        stopwatch = _Stopwatch(progress)
        try:
            stylize(
                self.shot,
                settings,
                result=self.result,
                device=device,
                dtype=dtype,
                batch=batch,
                progress=stopwatch,
                cancelled=cancelled,
                load=load,
            )
        finally:
            if stopwatch.frames:
                self._account(stopwatch.frames, stopwatch.seconds, fresh=stopwatch.kept == 0)

    def seconds_per_frame(self) -> float | None:
        """Of computing, writing included, loading the model not; None: not known."""
        frames, seconds = self._time()
        return seconds / frames if frames else None

    def _account(self, frames: int, seconds: float, *, fresh: bool) -> None:
        before = (0, 0.0) if fresh else self._time()
        content = {"frames": before[0] + frames, "seconds": before[1] + seconds}
        write_bytes(self.folder / "time.json", json.dumps(content).encode(), error=JobError)

    def _time(self) -> tuple[int, float]:
        try:
            content = read_json(self.folder / "time.json")
            return int(content["frames"]), float(content["seconds"])
        except (MediaError, ValueError, KeyError, TypeError):
            return 0, 0.0


class _Stopwatch:
    """Passes progress on, and measures the stage that makes the frames."""

    def __init__(self, listener: Callable[[Progress], None]) -> None:
        self._listener = listener
        self._started: float | None = None
        self.seconds, self.frames, self.kept = 0.0, 0, 0

    def __call__(self, now: Progress) -> None:
        self.kept = now.frames_kept
        if now.stage == "stylizing":
            self._started = self._started or time.monotonic()
        if self._started is not None and now.stage in ("stylizing", "accumulating", "encoding"):
            self.seconds = time.monotonic() - self._started
            self.frames = now.frames_done - now.frames_kept
        self._listener(now)
