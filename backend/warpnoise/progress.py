"""The progress of a run, which the pipeline reports, and the command and the server show."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Stage = Literal[
    "loading", "measuring", "compiling", "stylizing", "accumulating", "encoding", "finished", "reading", "noise", "page"
]
"""``measuring``: the autoencoder, once for a model; ``step`` of ``steps_total`` is per cent. ``compiling``: the noise
kernels, once for an installation. A comparison has the stages reading, noise, stylizing, measuring, page, finished."""


class Progress(BaseModel):
    """The progress of a run at one moment."""

    model_config = ConfigDict(frozen=True)

    stage: Stage = "loading"
    frames_total: int
    frames_done: int = 0
    """Frames whose file is written."""
    frames_kept: int = 0
    """Of these, the ones that an earlier run had finished."""
    step: int = 0
    """Denoising steps done, of the frames that are edited now."""
    steps_total: int = 0
    seconds_left: float | None = None
    """None: not known yet."""
    newest_frame: int | None = None
    """The frame that was written last."""
    result: str | None = None
    """The name of the result; None until the run has read the model's digest."""
    warnings: tuple[str, ...] = ()
    """Whole sentences."""
    what: str = Field(default="", exclude=True)
    """In a comparison, the sequence that is being worked on. Frames are then those of all sequences of the stage."""

    @property
    def fraction(self) -> float:
        """The finished share of the run's frames, from 0 to 1, including steps of the current ones."""
        if self.frames_done >= self.frames_total:
            return 1.0
        step = self.step / self.steps_total if self.steps_total and self.stage != "measuring" else 0.0
        return (self.frames_done + min(step, 1.0)) / self.frames_total
