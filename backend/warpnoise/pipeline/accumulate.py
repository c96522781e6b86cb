"""Accumulation: averages the stylized frames of a result, or frames of any tool, into the final ones."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from warpnoise.coherence.accumulate import RADIUS, accumulated
from warpnoise.coherence.anchor import Anchor, Seen, Surfaces, reverse
from warpnoise.coherence.carry import StylizedFrame
from warpnoise.coherence.keys import KeyFrames
from warpnoise.errors import JobError, first_few, stop_if
from warpnoise.hashing import digest_text
from warpnoise.job import Result, ResultInfo, Settings, Shot
from warpnoise.job.digest_cache import DigestCache
from warpnoise.job.frame_ranges import frame_name
from warpnoise.media.png import read_png, read_size, write_png
from warpnoise.motion import frames_and_motions
from warpnoise.noise import Motion
from warpnoise.pipeline.made_of import MadeOf, unfinished
from warpnoise.pipeline.pictures import read_picture, to_picture
from warpnoise.pipeline.plan import make_plan

log = logging.getLogger(__name__)

ACCUMULATION_VERSION = 4


class AccumulatedOf:
    """For each final frame the digest of all that it is made of: the frames around it as they were stylized, and those
    before it, among which its key frames are."""

    def __init__(self, shot: Shot, settings: Settings, stylized: MadeOf) -> None:
        """``stylized``: what the frames are made of as they are stylized."""
        self._frames, self._digest, self.painted = shot.frames, stylized.digest, stylized.painted
        self._links = [digest_text(f"accumulation {ACCUMULATION_VERSION} {settings.accumulation} {settings.key_share}")]

    def digest(self, frame: int) -> str:
        last = min(self._frames.index(frame) + RADIUS + 1, len(self._frames))
        for each in self._frames[len(self._links) - 1 : last]:
            self._links.append(digest_text(self._links[-1], self._digest(each)))
        return digest_text(str(frame), self._links[last])


@dataclass
class _Frame:
    number: int
    motion: Motion | None
    shown: Surfaces
    keys: list[Seen]


def accumulate(
    shot: Shot,
    source: Callable[[int], Path],
    frames: Collection[int],
    amount: float,
    key_share: float,
    cancelled: Callable[[], bool] | None = None,
    painted: Collection[int] = (),
) -> Iterator[tuple[int, npt.NDArray[np.uint16]]]:
    """The final pictures of ``frames``, in order, (h, w, 3 or 4) uint16.

    Args:
        source: each frame's file, as it was stylized; those up to two frames after the last of ``frames`` are read.
        painted: key frames that the user painted. They stay as they are.

    Raises:
        JobError: a frame is missing or of another size.
        MediaError: a file cannot be read.
        Cancelled: ``cancelled()`` was true.
    """
    last = min(max(map(shot.frames.index, frames)) + RADIUS + 1, len(shot.frames))
    read = shot.frames[:last]
    check_there(shot, source, read)
    keys = KeyFrames(key_share, painted)
    pictures: dict[int, StylizedFrame] = {}
    window: deque[_Frame] = deque(maxlen=2 * RADIUS + 1)
    waiting: deque[int] = deque()
    for (frame, motion), number in zip(frames_and_motions(shot), read, strict=False):
        stop_if(cancelled, "cancelled while frames were accumulated: what was finished stays")
        shown = Surfaces(frame.surface, frame.depth)
        _, seen = keys.see(number, motion, shown)
        window.append(_Frame(number, motion, shown, seen))
        pictures[number] = _read(shot, source, number)
        waiting.append(number)
        if len(waiting) > RADIUS:
            yield from _final(waiting.popleft(), frames, window, pictures, source, amount, painted)
        needed = {*keys.live, *(each.number for each in window)}
        for gone in pictures.keys() - needed:
            del pictures[gone]
    for number in waiting:
        yield from _final(number, frames, window, pictures, source, amount, painted)


def accumulate_result(
    shot: Shot,
    result: Result,
    settings: Settings,
    frames: Sequence[int],
    made_of: AccumulatedOf,
    cancelled: Callable[[], bool] | None = None,
    written: Callable[[int], None] = lambda frame: None,
) -> None:
    """Writes the missing final frames of ``result``, and calls ``written`` after each. Raises as ``accumulate``."""
    todo = [frame for frame in frames if not result.is_finished(result.frame(frame), made_of.digest(frame))]
    if not todo:
        return
    share, amount = settings.key_share or 1.0, settings.accumulation or 0.0
    for frame, picture in accumulate(shot, result.raw.frame, todo, amount, share, cancelled, made_of.painted):
        result.write_frame(frame, picture, made_of.digest(frame))
        written(frame)


def accumulate_finished(
    shot: Shot, frames: Sequence[int] | None = None, cancelled: Callable[[], bool] | None = None
) -> Result | None:
    """Writes the final frames of the result in use; None: its settings do not accumulate.

    Raises:
        JobError: there is no result, or one of its frames is not stylized yet.
        ModelError, MediaError, Cancelled: as ``stylize``.
    """
    result = shot.current()
    info = None if result is None else result.info()
    if result is None or info is None:
        raise JobError(f"{shot.path} has no result. Stylize it first.")
    if not info.settings.accumulation:
        return None
    chosen = list(shot.frames if frames is None else frames)
    with DigestCache(shot.path, shot.results_folder, cancelled) as digests, result.lease(chosen[0], chosen[-1]):
        read = shot.frames[: shot.frames.index(chosen[-1]) + RADIUS + 1]
        stylized = stylized_of(shot, info, read[-1], digests, cancelled)
        if left := unfinished(shot, result.raw, read, stylized, digests):
            raise JobError(f"{result.raw.folder}: frame {left[0]} is not stylized yet. Run `warpnoise stylize` first.")
        made_of = AccumulatedOf(shot, info.settings, stylized)
        accumulate_result(shot, result, info.settings, chosen, made_of, cancelled)
    return result


def stylized_of(
    shot: Shot, info: ResultInfo, last: int, digests: DigestCache, cancelled: Callable[[], bool] | None
) -> MadeOf:
    """What the frames of a result, up to frame ``last``, are made of as they are stylized."""
    plan = make_plan(shot, info.settings, last, log.warning, cancelled)
    return MadeOf(shot, info.settings, info.model, digests, plan)


def accumulate_folder(
    shot: Shot,
    source: Path,
    target: Path,
    frames: Sequence[int] | None = None,
    *,
    amount: float = 0.5,
    key_share: float = 0.2,
    cancelled: Callable[[], bool] | None = None,
) -> list[Path]:
    """Accumulates frames that any tool made, ``source/0001.png``, into ``target``.

    Raises:
        JobError: ``target`` is ``source``, is inside the job folder, or is a file. Also raises as ``accumulate``.
    """
    if source.resolve() == target.resolve():
        raise JobError(f"{target} is the folder of the frames to average. Choose another folder with --output.")
    if target.resolve().is_relative_to(shot.path.resolve()):
        raise JobError(f"{target} is in the job folder, whose files it could replace. Choose another with --output.")
    if target.exists() and not target.is_dir():
        raise JobError(f"{target} is a file; expected a folder. Choose another with --output.")
    chosen, written = list(shot.frames if frames is None else frames), []
    pictures = accumulate(shot, lambda frame: source / f"{frame_name(frame)}.png", chosen, amount, key_share, cancelled)
    for frame, picture in pictures:
        written.append(target / f"{frame_name(frame)}.png")
        write_png(written[-1], picture)
    return written


def check_there(shot: Shot, source: Callable[[int], Path], frames: Sequence[int]) -> None:
    """Raises JobError: a file or the passes of one of the frames are missing, or a file has another size."""
    missing = [source(frame).name for frame in frames if not source(frame).is_file()]
    if missing:
        raise JobError(
            f"{source(frames[0]).parent} lacks {first_few(missing)}: each frame is averaged with frames around it and "
            "before it. Stylize these first, or choose a folder that holds all of them."
        )
    wanted = shot.scene.width, shot.scene.height
    for frame in frames:
        width, height = read_size(source(frame))
        if (width, height) != wanted:
            raise JobError(
                f"{source(frame)} is {width} x {height}; expected {wanted[0]} x {wanted[1]}, the size of the frames."
            )
    shot.check_passes(frames)


def _final(
    number: int,
    frames: Collection[int],
    window: Sequence[_Frame],
    pictures: Mapping[int, StylizedFrame],
    source: Callable[[int], Path],
    amount: float,
    painted: Collection[int],
) -> Iterator[tuple[int, npt.NDArray[np.uint16]]]:
    if number not in frames:
        return
    if number in painted:
        yield number, read_png(source(number))
        return
    index = next(index for index, each in enumerate(window) if each.number == number)
    seen = [*window[index].keys, *_around(list(window), index)]
    beside = {each.anchor: each for each in seen}  # a key frame may be near, too
    final = accumulated(pictures[number], [(each, pictures[anchor]) for anchor, each in beside.items()], amount)
    alpha = read_picture(source(number)).alpha
    yield number, to_picture(torch.from_numpy(final.transpose(2, 0, 1)), alpha)


def _around(window: list[_Frame], index: int) -> Iterator[Seen]:
    """Where the frames before and after show what a frame shows."""
    for other in range(max(index - RADIUS, 0), min(index + RADIUS + 1, len(window))):
        path = window[other : index + 1] if other < index else window[index : other + 1][::-1]
        steps = [b.motion if other < index else a.motion and reverse(a.motion) for a, b in pairwise(path)]
        motions = [step for step in steps if step is not None]
        if motions and len(motions) == len(steps):
            anchor = Anchor(path[0].number, path[0].shown)
            for motion, frame in zip(motions, path[1:], strict=True):
                anchor.advance(motion, frame.shown)
            yield anchor.seen()


def _read(shot: Shot, source: Callable[[int], Path], frame: int) -> StylizedFrame:
    picture, render = (read_picture(path).image.numpy() for path in (source(frame), shot.color(frame)))
    return StylizedFrame(*(np.ascontiguousarray(each.transpose(1, 2, 0)) for each in (picture, render)))
