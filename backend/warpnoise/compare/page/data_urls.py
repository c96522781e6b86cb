"""Pictures and movies, encoded as text for the page."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from warpnoise.compare.experiment.measure import read_picture
from warpnoise.compare.experiment.noise_figures import encode
from warpnoise.errors import stop_if
from warpnoise.media.movie import write_movie

Picture = npt.NDArray[np.uint8]

TILE_PX = 320
"""The longer side of a sequence in the movie, at most."""
LONGEST_FRAMES = 120
"""Movies are cut after so many frames: the page is to stay small enough to be sent."""
BOOMERANG_FRAMES = 72
"""Up to so many frames run forwards and backwards, so that no jump distracts from the flicker."""
QUALITY = 20

_COLD, _NOTHING, _WARM = (
    np.array(color, dtype=np.float64) for color in ((33, 90, 168), (250, 250, 248), (190, 40, 30))
)


@dataclass(frozen=True)
class Wall:
    """A movie with several sequences in a grid. They cannot get out of step, being one movie.

    ``order``: the movie's pictures as indices of frames. ``tile``: width and height of a sequence.
    """

    source: str
    columns: int
    tile: tuple[int, int]
    order: tuple[int, ...]


def make_wall(
    sequences: Sequence[Callable[[int], Path]],
    frames: Sequence[int],
    rate: Fraction,
    beside: Path,
    cancelled: Callable[[], bool] | None = None,
) -> Wall:
    """Args: ``sequences``: where each one's pictures are. ``beside``: a name for the movie while it is made.

    Raises:
        MediaError: a picture cannot be read, or the movie cannot be written.
        Cancelled: ``cancelled()`` was true.
    """
    shown = range(min(len(frames), LONGEST_FRAMES))
    order = tuple(shown)
    if 2 < len(order) <= BOOMERANG_FRAMES:
        order += tuple(reversed(order[1:-1]))
    first, _ = read_picture(sequences[0](frames[0]))
    scale = min(1.0, TILE_PX / max(first.shape[:2]))
    height, width = (max(2, round(size * scale / 2) * 2) for size in first.shape[:2])
    columns = math.ceil(math.sqrt(len(sequences) * height / width))

    def pictures() -> Iterator[Picture]:
        for index in order:
            stop_if(cancelled, "cancelled while the page's movies were made: figures and frames stay")
            tiles = [_resized(read_picture(where(frames[index]))[0], width, height) for where in sequences]
            tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
            rows = [np.concatenate(tiles[start : start + columns], axis=1) for start in range(0, len(tiles), columns)]
            yield to_bytes(np.concatenate(rows, axis=0))

    try:
        write_movie(beside, pictures(), rate, quality=QUALITY)
        return Wall(data_uri(beside.read_bytes(), "video/mp4"), columns, (width, height), order)
    finally:
        beside.unlink(missing_ok=True)


def make_slice(where: Callable[[int], Path], frames: Sequence[int], row: int) -> str:
    """One row of pixels over time, the first frame at the top, as a PNG's data URI. Raises MediaError."""
    rows = [read_picture(where(frame))[0][row] for frame in frames]
    return png_uri(to_bytes(np.stack(rows)))


def matrix_uri(matrix: npt.ArrayLike) -> str:
    """A matrix in [-1, 1] as a PNG's data URI, a pixel an entry: blue below 0, red above."""
    amount = np.clip(np.asarray(matrix, np.float64), -1, 1)[..., None]
    color = _NOTHING + np.where(amount < 0, _COLD - _NOTHING, _WARM - _NOTHING) * np.abs(amount)
    return png_uri(np.round(color).astype(np.uint8))


def png_uri(picture: Picture) -> str:
    """Of (h, w, 3) uint8, red first."""
    return data_uri(encode(picture), "image/png")


def data_uri(data: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def to_bytes(picture: npt.NDArray[np.float32]) -> Picture:
    return np.asarray(np.round(np.clip(picture, 0, 1) * 255), dtype=np.uint8)


def _resized(picture: npt.NDArray[np.float32], width: int, height: int) -> npt.NDArray[np.float32]:
    if picture.shape[:2] == (height, width):
        return picture
    kind = cv2.INTER_AREA if picture.shape[1] > width else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (width, height), interpolation=kind), dtype=np.float32)
