"""The options of an export and its progress, as frozen dataclasses. Imports no bpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..backend.locate import BackendCommand
from ..errors import SettingsError
from ..frame_ranges import FRAME_LIMIT, frames_text
from ..settings import Settings, make_settings


@dataclass(frozen=True)
class ExportOptions:
    """What to export, and where to.

    ``folder``: the job folder; it is made where it is missing.
    ``frame_start``, ``frame_end``, ``frame_step``: Blender's frame numbers, the end included where the steps meet it.
    ``color_source``: None renders the colour with the scene's engine. Otherwise a folder of existing frames, one file a
    frame with the frame number last in its name: PNG, JPEG, TIFF and WebP are taken as the viewer sees them, EXR (its
    Combined pass, or its only one) goes through the scene's view transform.
    ``passes_source``: None renders the motion with Cycles. Otherwise a folder of multilayer EXR files that hold Depth,
    Vector and Cryptomatte Object, usually that of ``color_source``. Their vectors span one frame: ``frame_step`` is 1.
    ``keep_existing``: frames that an earlier export of the same scene and range left whole are not rendered again.
    The scene itself is not compared: only the user knows that it did not change.
    ``color_frames``: None exports every frame. Otherwise the part of ``frames`` that this machine is given, not empty:
    only these get their colour. Whatever was made in the folder of the same .blend file is used, by this machine or
    another.
    ``earlier_motion``: the frames before those of ``color_frames`` get their motion, through which the noise comes.
    """

    folder: Path
    frame_start: int
    frame_end: int
    frame_step: int = 1
    color_source: Path | None = None
    passes_source: Path | None = None
    settings: Settings = field(default_factory=make_settings)
    keep_existing: bool = False
    color_frames: Sequence[int] | None = None
    earlier_motion: bool = True
    reader: BackendCommand | None = None
    """What reads existing frames; None: the backend that `find_backend` finds."""
    size: int | None = None
    """Pixels of the longer side; None: the scene's size."""

    def check(self) -> None:
        """Raises SettingsError for frames that Blender does not have, or for none."""
        if self.frame_step < 1:
            raise SettingsError("The frame step must be 1 or more, got {frame_step}.", frame_step=self.frame_step)
        if self.frame_end < self.frame_start:
            raise SettingsError(
                "The frame range is empty: it ends at {frame_end}, before its start at {frame_start}.",
                frame_end=self.frame_end,
                frame_start=self.frame_start,
            )
        # A vector's span reaches one step beyond both ends.
        first, last = self.frame_start - self.frame_step, self.frame_end + self.frame_step
        if first < -FRAME_LIMIT or last > FRAME_LIMIT:
            raise SettingsError(
                "Frames {frame_start} to {frame_end} in steps of {frame_step} are outside Blender's frame range, "
                "{first} to {last}.",
                frame_start=self.frame_start,
                frame_end=self.frame_end,
                frame_step=self.frame_step,
                first=-FRAME_LIMIT,
                last=FRAME_LIMIT,
            )
        missing = [frame for frame in self.color_frames or () if frame not in self.frames]
        if missing or (self.color_frames is not None and not self.color_frames):
            raise SettingsError(
                "The shot has no frame {missing}; it has {frames}.",
                missing=frames_text(missing, 10) or "''",
                frames=frames_text(self.frames, 10),
            )

    def smallest_passes(self, size: tuple[int, int]) -> int:
        """Bytes: no whole file of rendered passes (Depth, Vector, one level of Cryptomatte) is smaller."""
        return size[0] * size[1] * (1 + 4 + 4) * 4 if self.passes_source is None else 1

    @property
    def frames(self) -> range:
        """The frame numbers that the job holds."""
        return range(self.frame_start, self.frame_end + 1, self.frame_step)

    @property
    def rendered_frames(self) -> Sequence[int]:
        """The frames whose motion is rendered: those that get their colour, and the ones before them if wanted."""
        if self.color_frames is None:
            return self.frames
        if not self.earlier_motion:
            return self.color_frames
        return self.frames[: self.frames.index(self.color_frames[-1]) + 1]

    @property
    def span(self) -> tuple[int, int] | None:
        """The first and the last frame of the part; None: all frames."""
        return (self.color_frames[0], self.color_frames[-1]) if self.color_frames is not None else None


@dataclass(frozen=True)
class ExportedFrame:
    """One finished frame. ``existed``: it was there already. ``color``: None where only its motion is needed.

    ``warnings``: sentences for the user, each once: what of the scene cannot be as in its own render.
    """

    frame: int
    frames_done: int
    frames_total: int
    color: Path | None
    passes: Path
    existed: bool = False
    warnings: tuple[str, ...] = ()
