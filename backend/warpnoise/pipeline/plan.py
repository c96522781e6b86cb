"""The key frames of a shot, chosen from the motion before stylizing, and the dependencies between frames."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise, takewhile
from pathlib import Path

import numpy as np

from warpnoise.coherence.anchor import Surfaces
from warpnoise.coherence.keys import LOOK_AHEAD, KeyFrames
from warpnoise.errors import JobError, stop_if
from warpnoise.job import Settings, Shot, frame_name
from warpnoise.media.png import read_png
from warpnoise.motion import frames_and_motions

NEEDS_OTHERS = (
    "With coherence, a frame also needs the frames that it is drawn toward, some of which come later. With "
    "`--coherence off`, it needs only the passes of earlier frames."
)


@dataclass(frozen=True)
class Plan:
    """The key frames of a shot, up to a frame.

    ``frames``: in order, up to the look-ahead of the last wanted one. ``keys``: the key frames among them. ``painted``:
    the user's own pictures, by frame; ``painted_surfaces``: these frames' surfaces. ``steps``: for each frame its rigid
    motions from the frame before, by surface.
    """

    frames: tuple[int, ...]
    keys: tuple[int, ...]
    painted: Mapping[int, Path]
    painted_surfaces: Mapping[int, Surfaces]
    steps: Mapping[int, Mapping[int, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]]
    share: float

    def segment(self, frame: int) -> list[int]:
        """The frames from its key frame up to it."""
        start = max(key for key in self.keys if key <= frame)
        return [each for each in self.frames if start <= each <= frame]

    def next_key(self, frame: int) -> int | None:
        """The next key frame within the look-ahead; of a key frame, None."""
        if frame in self.keys:
            return None
        index = self.frames.index(frame)
        return next((each for each in self.frames[index : index + LOOK_AHEAD + 1] if each in self.keys), None)

    def last_read(self, frame: int) -> int:
        """The last frame to read for a frame: the next key frame within the look-ahead, or itself."""
        ahead = self.next_key(frame)
        return frame if ahead is None else ahead

    def drawn_toward(self, frame: int) -> list[int]:
        """The stylized frames that a frame depends on directly."""
        index = self.frames.index(frame)
        if frame in self.keys:
            return [key for key in self.keys if key < frame][-1:]
        ahead = self.next_key(frame)
        return [self.frames[index - 1], *([] if ahead is None else [ahead])]

    def in_order(self, frame: int) -> list[int]:
        """A frame and all that it depends on, each after its own dependencies."""
        last = self.last_read(frame)
        return [*(key for key in self.keys if key <= last), *(each for each in self.segment(frame)[1:])]

    def needed(self, frames: Collection[int]) -> list[int]:
        """``frames`` and all that they depend on: key frames, and the frames of a segment."""
        needed = {*frames, *self.painted}
        for frame in frames:
            needed.update(self.in_order(frame))
        return sorted(needed)

    def segments(self) -> list[list[int]]:
        """The frames, a list for each key frame."""
        starts = [*self.keys, self.frames[-1] + 1]
        return [[frame for frame in self.frames if start <= frame < end] for start, end in pairwise(starts)]


def make_plan(
    shot: Shot,
    settings: Settings,
    last: int,
    warn: Callable[[str], None],
    cancelled: Callable[[], bool] | None = None,
    *,
    preview: bool = False,
) -> Plan | None:
    """The plan of a shot up to frame ``last`` and its look-ahead; None without pull and attention.

    Args:
        settings: the effective ones.
        preview: ends before the first frame whose passes are missing.

    Raises:
        JobError: a key picture of no frame of the shot, of another size, or without alpha where the frames have some.
        MediaError: passes or a picture that cannot be read.
        Cancelled: ``cancelled()`` was true.
    """
    painted = key_pictures(shot)
    if not (settings.pull or settings.attention):
        if painted:
            warn(
                f"The key pictures of {shot.keys_folder} have no effect with `pull` 0, as in the presets *Lively* and "
                "*Off*. Choose *Balanced* or *Steady* to carry their look through the shot."
            )
        return None
    for path in painted.values():
        _check_picture(shot, path)
    end = max([shot.frames.index(last) + LOOK_AHEAD, *map(shot.frames.index, painted)]) + 1
    if preview:
        ready = takewhile(lambda frame: shot.passes(frame).is_file(), shot.frames[: len(shot.info.frames)])
        end = min(end, sum(1 for _ in ready))
    frames = tuple(shot.frames[:end])
    painted = {frame: path for frame, path in painted.items() if frame in frames}
    try:
        shot.check_passes(frames)
    except JobError as missing:
        raise JobError(f"{missing} {NEEDS_OTHERS}") from None
    share = settings.key_share or 1.0
    finder = KeyFrames(share, painted)
    keys, steps, surfaces, unknown = [], {}, {}, 0
    for number, (frame, motion) in zip(frames, frames_and_motions(shot, warn=warn), strict=False):
        stop_if(cancelled, "cancelled while key frames were chosen")
        shown = Surfaces(frame.surface, frame.depth)
        is_key, _ = finder.see(number, motion, shown)
        steps[number] = {} if motion is None else dict(motion.transforms or {})
        unknown += motion is not None and bool(motion.backward.isnan().all())
        if is_key:
            keys.append(number)
        if number in painted:
            surfaces[number] = shown
    if unknown and unknown == len(frames) - 1:
        warn(
            "No motion is known between any two frames, so nothing is carried from one to another: every frame is a "
            "key frame. Render the Vector pass, or let Warpnoise render the motion."
        )
    return Plan(frames, tuple(keys), painted, surfaces, steps, share)


def key_pictures(shot: Shot) -> dict[int, Path]:
    """The user's own pictures of frames in ``keys/``, by frame. Other files there, such as ``notes.txt``, are ignored.

    Raises JobError: a PNG is not named like a frame, or a frame has only a picture of another format.
    """
    if not shot.keys_folder.exists():
        return {}
    if not shot.keys_folder.is_dir():
        raise JobError(f"{shot.keys_folder} is a file; expected a folder with key pictures. Rename or remove it.")
    frames = {frame_name(frame): frame for frame in shot.frames}
    found: dict[int, Path] = {}
    others: list[Path] = []
    for path in sorted(shot.keys_folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.suffix.lower() != ".png":
            others.append(path)
        elif path.suffix == ".png" and path.stem in frames:
            found[frames[path.stem]] = path
        else:
            first, last = frame_name(shot.frames[0]), frame_name(shot.frames[-1])
            raise JobError(
                f"{path}: no frame of the shot has this name: they are {first}.png to {last}.png. Rename or remove it."
            )
    for path in others:
        if path.stem in frames and frames[path.stem] not in found:
            raise JobError(f"{path}: key pictures are PNG files. Save it as {path.stem}.png, or remove it.")
    return found


def _check_picture(shot: Shot, path: Path) -> None:
    picture = read_png(path)
    height, width = picture.shape[:2]
    if (width, height) != (shot.scene.width, shot.scene.height):
        raise JobError(
            f"{path}: the key picture is {width} x {height}; expected {shot.scene.width} x {shot.scene.height}, "
            "the size of the frames. Scale it, or remove it."
        )
    if shot.scene.transparent and picture.shape[2] != 4:
        raise JobError(
            f"{path}: the key picture has no alpha, but the frames have. Save it as RGBA, with the frame's alpha."
        )
