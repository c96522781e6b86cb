"""The producing end: each frame's motion and picture, and the noise that the motion carries."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from warpnoise.job import Shot
from warpnoise.media.png import read_png
from warpnoise.motion import frames_and_motions
from warpnoise.noise import Motion, NoiseMethod
from warpnoise.pipeline.alpha import fill_transparent
from warpnoise.pipeline.guides import Guides


@dataclass(frozen=True)
class Picture:
    """A frame as the viewer sees it.

    ``image``: (3, h, w) float32 in [0, 1]. ``alpha``: (h, w) uint16, or None where the picture has none.
    """

    image: torch.Tensor
    alpha: npt.NDArray[np.uint16] | None


@dataclass(frozen=True)
class Source:
    """What was read of a frame: the motion that led to it (None: it is the first), and, if it is wanted, its picture
    and, if that is, its geometry, (4, h, w) float32."""

    frame: int
    motion: Motion | None
    picture: Picture | None
    geometry: torch.Tensor | None
    guides: Mapping[str, torch.Tensor]
    """See `Guides`; those that are wanted."""


@dataclass(frozen=True)
class Prepared:
    """A frame that is ready for the model. ``noise``: (maps, channels, height, width) float32."""

    frame: int
    picture: Picture
    geometry: torch.Tensor | None
    noise: torch.Tensor
    guides: Mapping[str, torch.Tensor] = field(default_factory=dict)


def read_sources(
    job: Shot,
    wanted: Collection[int],
    warn: Callable[[str], None],
    *,
    geometry: bool,
    guides: Collection[str] = (),
) -> Iterator[Source]:
    """Every frame up to the last ``wanted`` one, in order.

    ``geometry``: whether that is wanted too. ``guides``: the names of those that are.

    Raises:
        JobError, MediaError: a file is missing, damaged, or of another size.
    """
    last = max(wanted)
    maker = Guides(guides)
    for frame, motion in frames_and_motions(job, warn=warn):
        number = frame.number
        maker.see(frame)
        if number in wanted:
            seen = torch.from_numpy(frame.geometry()) if geometry else None
            yield Source(number, motion, read_picture(job.color(number)), seen, maker.of(frame))
        else:
            yield Source(number, motion, None, None, {})
        if number == last:
            return


def prepare(sources: Iterable[Source], noise: NoiseMethod, maps: int) -> Iterator[Prepared]:
    """The wanted frames with their noise, which goes through every frame before them, wanted or not."""
    for source in sources:
        first = noise.frame() if source.motion is None else noise.advance(source.motion)
        if source.picture is not None:
            stacked = torch.stack([first, *(noise.frame(index) for index in range(1, maps))])
            yield Prepared(source.frame, source.picture, source.geometry, stacked, source.guides)


def read_picture(path: Path) -> Picture:
    """A colour frame. Raises MediaError."""
    picture = read_png(path)
    has_alpha = picture.shape[2] == 4
    color = fill_transparent(picture) if has_alpha else picture
    image = np.ascontiguousarray(color.transpose(2, 0, 1), dtype=np.float32)
    image /= 65535
    return Picture(torch.from_numpy(image), np.ascontiguousarray(picture[..., 3]) if has_alpha else None)


def to_picture(image: torch.Tensor, alpha: npt.NDArray[np.uint16] | None) -> npt.NDArray[np.uint16]:
    """(3, h, w) float32 in [0, 1] and the alpha as (h, w, 3 or 4) uint16."""
    color = (image * 65535).round().to("cpu", torch.int32).permute(1, 2, 0).numpy().astype(np.uint16)
    return color if alpha is None else np.dstack([color, alpha])
