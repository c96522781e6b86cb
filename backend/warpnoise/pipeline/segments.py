"""Edits frames with coherence: draws each one toward the colours of its surfaces in stylized frames.

Key frames come first. Frames that depend on a later key frame wait until it is stylized. Then frames are edited in
order, each with the earlier key frames, the next one if it is near, and the previous frame.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from warpnoise.coherence.anchor import Anchor, Seen, reverse, seen_through
from warpnoise.coherence.carry import StylizedFrame, carried
from warpnoise.coherence.keys import LOOK_AHEAD, KeyFrames
from warpnoise.coherence.locate import Float
from warpnoise.job import Result, Shot
from warpnoise.job.digest_cache import unchanged
from warpnoise.pipeline.carry import NoisyFrame
from warpnoise.pipeline.edit import BatchEditor, EditedFrame
from warpnoise.pipeline.pictures import as_written, read_picture
from warpnoise.pipeline.plan import Plan
from warpnoise.pipeline.read import Source
from warpnoise.sdedit.key_attention import KeyFrame
from warpnoise.sdedit.pull import Pull


@dataclass
class _Waiting:
    """A frame that waits for the next key frame, if one is near."""

    source: Source
    noisy: NoisyFrame | None
    seen: list[Seen]
    before: Seen | None
    ahead: Seen | None = None
    ahead_weight: float = 0.0


@dataclass(frozen=True)
class Carried:
    """What to carry to the frames ``todo``.

    ``strength``: in [0, 1], of the pull toward ``usable``, stylized frames of ``result``. ``attention``: likewise, to
    the key frame.
    """

    plan: Plan
    strength: float
    attention: float
    todo: Collection[int]
    result: Result
    usable: Collection[int]

    @property
    def last(self) -> int:
        """The last frame to read."""
        return max(map(self.plan.last_read, self.todo))

    @property
    def noisy(self) -> set[int]:
        """The frames that need noise: those to edit, and the key frames that they attend to."""
        keys = {self.plan.segment(frame)[0] for frame in self.todo} if self.attention else set()
        return {*self.todo, *keys}

    def reader(self, shot: Shot) -> Callable[[int], StylizedFrame | None]:
        """Reads frames that were stylized before, and painted ones. Raises MediaError: one cannot be read."""
        usable = {*self.usable, *self.plan.painted}.difference(set(self.todo) - set(self.plan.painted))

        def read(frame: int) -> StylizedFrame | None:
            if frame not in usable:
                return None
            made = self.plan.painted.get(frame) or self.result.frame(frame)
            with unchanged(made, shot.color(frame)):
                picture, render = (read_picture(path).image for path in (made, shot.color(frame)))
            return StylizedFrame(_channels_last(picture), _channels_last(render))

        return read


class SegmentEditor:
    """Edits the wanted frames of a shot.

    Args:
        editor: edits frames one by one.
        read: a frame that was stylized before; None: it was not.
    """

    def __init__(
        self,
        carried: Carried,
        editor: BatchEditor,
        read: Callable[[int], StylizedFrame | None],
    ) -> None:
        self._carried, self._plan, self._editor, self._read = carried, carried.plan, editor, read
        self._key: KeyFrame | None = None
        self._stylized: dict[int, StylizedFrame | None] = {}

    def edit(self, frames: Iterable[tuple[Source, NoisyFrame | None]]) -> Iterator[EditedFrame]:
        """Edits the frames that have noise, of these and all frames before them. Yields key frames early."""
        tracker = KeyFrames(self._plan.share, self._plan.painted)
        waiting: list[_Waiting] = []
        before: Source | None = None
        for source, noisy in frames:
            is_key, seen = tracker.see(source.frame, source.motion, source.shown)
            now = _Waiting(source, noisy, seen, _from_before(before, source))
            before = source
            if not is_key:
                waiting.append(now)
                if len(waiting) > LOOK_AHEAD:
                    first = waiting.pop(0)
                    yield from self._edited(first)
                    self._forget({*tracker.live, *self._plan.painted, first.source.frame})
                continue
            now.before = None
            noise = noisy.noise(0) if noisy is not None and self._carried.attention else None
            key, self._key = self._key, None
            yield from self._edited(now)
            self._key = key  # of the frames that waited
            _look_ahead(waiting, source)
            for each in waiting:
                yield from self._edited(each)
            waiting.clear()
            self._key = None if noisy is None or noise is None else self._key_frame(noisy, noise)
            self._forget({*tracker.live, *self._plan.painted, source.frame})
        for each in waiting:
            yield from self._edited(each)

    def _edited(self, now: _Waiting) -> Iterator[EditedFrame]:
        frame = now.source.frame
        if now.noisy is None or frame not in self._carried.todo:
            return
        source = now.noisy.source
        if frame in self._plan.painted:  # as `_picture` reads it
            yield EditedFrame(frame, source, read_picture(self._plan.painted[frame]).image)
            return
        edited = self._editor.edit_one(now.noisy, self._pull(now), self._key)
        self._stylized[frame] = StylizedFrame(
            as_written(edited.image, source.picture.alpha), _channels_last(source.picture.image)
        )
        yield edited

    def _key_frame(self, noisy: NoisyFrame, noise: torch.Tensor) -> KeyFrame | None:
        finished = self._picture(noisy.frame)
        if finished is None:
            return None
        picture = torch.from_numpy(np.ascontiguousarray(finished.picture.transpose(2, 0, 1))).clamp(0, 1)
        return self._editor.key_frame(noisy, noise, picture, self._carried.attention)

    def _pull(self, now: _Waiting) -> Pull | None:
        if not self._carried.strength:
            return None
        anchors = [(seen, 1.0) for seen in now.seen]
        anchors += [(seen, 1.0) for seen in self._painted_ahead(now)]
        if now.ahead is not None:
            anchors.append((now.ahead, 1.0 if now.ahead.anchor in self._plan.painted else now.ahead_weight))
        if now.before is not None:
            anchors.append((now.before, 1.0))
        anchors.sort(key=lambda each: each[0].anchor not in self._plan.painted)
        known = [(seen, picture, scale) for seen, scale in anchors if (picture := self._picture(seen.anchor))]
        if not known or now.noisy is None:
            return None
        colour, weight = carried(_channels_last(now.noisy.source.picture.image), known)
        target = torch.from_numpy(np.ascontiguousarray(colour.transpose(2, 0, 1)))[None]
        return Pull(target, torch.from_numpy(self._carried.strength * weight)[None, None])

    def _painted_ahead(self, now: _Waiting) -> Iterator[Seen]:
        """The user's pictures of later frames, beyond the look-ahead: located by rigid motion alone."""
        frame, frames = now.source.frame, self._plan.frames
        for painted, shown in self._plan.painted_surfaces.items():
            if painted > frame and not (now.ahead and now.ahead.anchor == painted):
                between = frames[frames.index(frame) + 1 : frames.index(painted) + 1]
                yield seen_through([self._plan.steps[each] for each in between], painted, shown, now.source.shown)

    def _picture(self, frame: int) -> StylizedFrame | None:
        if frame not in self._stylized:
            self._stylized[frame] = self._read(frame)
        return self._stylized[frame]

    def _forget(self, but: Collection[int]) -> None:
        for frame in self._stylized.keys() - but:
            del self._stylized[frame]


def _from_before(before: Source | None, source: Source) -> Seen | None:
    if before is None or source.motion is None:
        return None
    anchor = Anchor(before.frame, before.shown)
    anchor.advance(source.motion, source.shown)
    return anchor.seen()


def _look_ahead(waiting: list[_Waiting], key: Source) -> None:
    """Locates the waiting frames in the key frame."""
    anchor, motion = Anchor(key.frame, key.shown), key.motion
    for distance, each in enumerate(reversed(waiting), start=1):
        if motion is None:
            return
        anchor.advance(reverse(motion), each.source.shown)
        each.ahead, each.ahead_weight = anchor.seen(), 1 - distance / (LOOK_AHEAD + 1)
        motion = each.source.motion


def _channels_last(image: torch.Tensor) -> Float:
    return np.ascontiguousarray(image.numpy().transpose(1, 2, 0))
