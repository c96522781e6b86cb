"""The first stage: reads each frame's picture and the motion that leads to it, and digests what it reads."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping
from dataclasses import dataclass

import torch

from warpnoise.coherence.anchor import Surfaces
from warpnoise.job import Shot
from warpnoise.job.digest_cache import unchanged
from warpnoise.motion import frames_and_motions
from warpnoise.noise import Motion
from warpnoise.pipeline.guides import Guides
from warpnoise.pipeline.made_of import MadeOf
from warpnoise.pipeline.pictures import Picture, read_picture


@dataclass(frozen=True)
class Wanted:
    """The inputs of a wanted frame.

    ``geometry``: (4, h, w) float32, or None where the model takes none. ``made_of``: the digest of all its inputs.
    """

    picture: Picture
    geometry: torch.Tensor | None
    guides: Mapping[str, torch.Tensor]
    """Those that the settings' controls are shown, as `Guides.of`."""
    made_of: str


@dataclass(frozen=True)
class Source:
    """A frame: the motion from the previous frame (None: there is none), and the inputs if the frame is wanted."""

    frame: int
    motion: Motion | None
    shown: Surfaces
    wanted: Wanted | None


def read_sources(
    shot: Shot,
    wanted: Collection[int],
    made_of: MadeOf,
    warn: Callable[[str], None],
    *,
    geometry: bool,
    guides: Collection[str] = (),
    last: int | None = None,
) -> Generator[Source]:
    """Every frame up to the last ``wanted`` one, or to ``last``, in order.

    Args:
        made_of: a new one, so that it digests what is read here.
        geometry: whether the model takes it.
        guides: the names of those that are wanted.

    Raises:
        JobError, MediaError: a file is missing, damaged, of another size, or was replaced while it was read.
    """
    maker = Guides(guides)
    steps = frames_and_motions(shot, warn=warn)
    for number in shot.frames[: shot.frames.index(max(wanted) if last is None else last) + 1]:
        files = [shot.passes(number), *([shot.color(number)] if number in wanted else ())]
        with unchanged(*files):
            frame, motion = next(steps)
            made_of.follow(number)
            maker.see(frame)
            shown = Surfaces(frame.surface, frame.depth)
            if number not in wanted:
                source = Source(number, motion, shown, None)
            else:
                seen = torch.from_numpy(frame.geometry()) if geometry else None
                picture = read_picture(shot.color(number))
                source = Source(number, motion, shown, Wanted(picture, seen, maker.of(frame), made_of.digest(number)))
        yield source
