"""The progress of a run, as a frozen snapshot that is replaced as a whole, so that threads can share it."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import pack

STAGES = {
    "idle": "Idle",
    "venv": "Creating the environment",
    "pytorch": "Installing PyTorch",
    "package": "Installing the backend",
    "warmup": "Compiling the noise",
    "backend": "Starting the backend",
    "exporting": "Rendering",
    "uploading": "Sending the frames",
    "queued": "Waiting for the backend",
    "loading": "Loading the model",
    "measuring": "Measuring the autoencoder",
    "compiling": "Compiling the noise kernels, once",
    "stylizing": "Stylizing",
    "accumulating": "Averaging the frames",
    "encoding": "Writing the movie",
    "downloading": "Fetching the frames",
    "listing": "Looking for models",
    "offering": "Asking the hub about the model",
    "fetching": "Downloading",
    "done": "Done",
    "failed": "Failed",
    "cancelled": "Cancelled",
}
"""Each stage and what people read for it."""


PACE_FRAMES = 9
"""So many ends of frames, at the most, tell the pace: frames that are kept from before pass quickly."""

STAGE_START: dict[str, Any] = {
    "share": None, "amount": "", "line": "", "frames_done": 0, "frames_kept": 0, "step": 0, "steps_total": 0,
    "seconds_left": None,
}  # fmt: skip


IN_JSON = (
    "stage", "frames_done", "frames_total", "frames_kept", "step", "steps_total", "seconds_left", "newest", "result",
    "warnings",
)  # fmt: skip
"""The fields of a status that programs read."""


@dataclass(frozen=True)
class Status:
    """``frames_done`` counts within the stage; ``frames_kept`` of them are those of an earlier run.

    ``share``: of a stage that counts no frames, 0 to 1; ``amount``: the same in words. ``line``: the newest line that
    the stage's program has printed.
    ``newest``: the file of the newest frame, rendered or stylized. ``result``: the folder of the result.
    """

    stage: str = "idle"
    frames_done: int = 0
    frames_total: int = 0
    frames_kept: int = 0
    step: int = 0
    steps_total: int = 0
    share: float | None = None
    amount: str = ""
    line: str = ""
    seconds_left: float | None = None
    newest: Path | None = None
    result: Path | None = None
    backend: str = ""
    device: str = ""
    warnings: tuple[str, ...] = ()
    error: str = ""
    exit_status: int = 0

    @property
    def fraction(self) -> float:
        """The finished share of the stage, from 0 to 1, including steps of the current frames."""
        if self.share is not None:
            return self.share
        if not self.frames_total:
            return 0.0
        step = self.step / self.steps_total if self.steps_total and self.frames_done < self.frames_total else 0.0
        return min((self.frames_done + step) / self.frames_total, 1.0)

    @property
    def over(self) -> bool:
        return self.stage in ("idle", "done", "failed", "cancelled")

    def as_text(self) -> str:
        """One line for a terminal."""
        text = STAGES.get(self.stage, self.stage)
        if self.stage == "done" and self.result is not None:
            text += f": {self.frames_done} stylized frames in {self.result}"
        if self.frames_total and not self.over:
            text += f" {self.frames_done}/{self.frames_total}"
        if self.seconds_left is not None and not self.over:
            text += f", {duration(self.seconds_left)} left"
        return f"warpnoise: {text}"

    def as_openjd(self) -> str:
        """The messages that a worker of Open Job Description (2023-09) reads from standard output."""
        text = self.as_text().partition(": ")[2]
        lines = [
            f"openjd_status: {text}",
            f"openjd_progress: {100 * (1.0 if self.stage == 'done' else self.fraction):.1f}",
        ]
        if self.error:
            lines.append(f"openjd_fail: {' '.join(self.error.split())}")
        return "\n".join(lines)

    def as_json(self) -> str:
        """One line for a program; its keys are those of the HTTP interface's jobs.

        ``messages``: the templates of texts with values.
        """
        line: dict[str, Any] = {"warpnoise": "progress"} | {name: getattr(self, name) for name in IN_JSON}
        if packed := pack([*self.warnings, self.error]):
            line["messages"] = packed
        if self.error:
            line["error"] = {"message": self.error, "exit_status": self.exit_status}
        return json.dumps(line, default=str)


def duration(seconds: float) -> str:
    """``0:07``, ``12:30``, ``1:02:03``."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


class Reporter:
    """Holds the newest status of a run and passes it on. Called from one thread."""

    def __init__(self, tell: Callable[[Status], None] = lambda status: None) -> None:
        self.status = Status()
        self._tell = tell
        self._ended: deque[tuple[int, float]] = deque(maxlen=PACE_FRAMES)

    def update(self, **changes: Any) -> None:
        """Set fields of the status. A new stage resets the counts and the pace."""
        if changes.get("stage", self.status.stage) != self.status.stage:
            self._ended.clear()
            changes = STAGE_START | changes
        self.status = replace(self.status, **changes)
        self._tell(self.status)

    def show_output(self, stage: str, line: str, fraction: float | None) -> None:
        """A line of an installation, and the fraction of its download; see `setup.install.Tell`."""
        changes = {"line": line.strip()} if line.strip() else {}
        self.update(stage=stage, share=fraction, amount="" if fraction is None else f"{fraction:.0%}", **changes)

    def warn(self, *texts: str) -> None:
        """Add warnings, each once."""
        warnings = tuple(dict.fromkeys((*self.status.warnings, *texts)))
        if warnings != self.status.warnings:
            self.update(warnings=warnings)

    def seconds_left(self, frames_done: int, frames_total: int) -> float | None:
        """From the pace of the last frames, once two have ended: the first one also starts Blender or the engine."""
        if frames_done and (not self._ended or self._ended[-1][0] != frames_done):
            self._ended.append((frames_done, time.monotonic()))
        if len(self._ended) < 2:
            return None
        (first, begun), (last, ended) = self._ended[0], self._ended[-1]
        return (ended - begun) / (last - first) * (frames_total - frames_done)
