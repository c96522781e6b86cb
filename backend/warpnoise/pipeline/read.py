"""The first stage: each frame's picture and the motion that leads to it, and the digest of what was read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from warpnoise.coherence.anchor import Surfaces
from warpnoise.job import Shot
from warpnoise.job.digest_cache import unchanged
from warpnoise.media.png import read_png
from warpnoise.motion import frames_and_motions
from warpnoise.noise import Motion
from warpnoise.pipeline.alpha import fill_transparent
from warpnoise.pipeline.guides import Guides
from warpnoise.pipeline.made_of import MadeOf


@dataclass(frozen=True)
class Picture:
    """A frame as the viewer sees it.

    ``image``: (3, h, w) float32 in [0, 1]. ``alpha``: (h, w) uint16, or None where the picture has none.
    """

    image: torch.Tensor
    alpha: npt.NDArray[np.uint16] | None


@dataclass(frozen=True)
class Wanted:
    """What was read of a frame that is to be made.

    ``geometry``: (4, h, w) float32, or None where the model takes none. ``made_of``: the digest of all its inputs.
    """

    picture: Picture
    geometry: torch.Tensor | None
    guides: Mapping[str, torch.Tensor]
    """Those that the settings' controls are shown, as `Guides.of`."""
    made_of: str


@dataclass(frozen=True)
class Source:
    """A frame: the motion that leads to it (None: it is the first), and, if it is to be made, its pictures."""

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
) -> Iterator[Source]:
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


def read_picture(path: Path) -> Picture:
    """A colour frame. Raises MediaError."""
    picture = read_png(path)
    has_alpha = picture.shape[2] == 4
    color = fill_transparent(picture) if has_alpha else picture
    image = np.ascontiguousarray(color.transpose(2, 0, 1), dtype=np.float32)
    image /= 65535
    return Picture(torch.from_numpy(image), np.ascontiguousarray(picture[..., 3]) if has_alpha else None)
