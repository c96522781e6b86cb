"""Pictures between their files and the model. Colour is filled in where there is none: behind alpha 0, renderers leave
black, which a model would take for the picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch

from warpnoise.media.png import read_png

_NEUTRAL = 32768
_EMPTY = 257
"""Below 1/255 of coverage a straight colour is mostly the rounding of a division by nearly nothing."""


def fill_transparent(picture: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16]:
    """The colours of an RGBA picture with those of transparent pixels taken from the nearest pixel that has one.

    Args:
        picture: (height, width, 4) uint16, straight alpha.

    Returns:
        (height, width, 3) uint16; a middle grey where the whole picture is transparent.
    """
    color, empty = picture[..., :3], picture[..., 3] < _EMPTY
    if not empty.any():
        return color
    if empty.all():
        return np.full_like(color, _NEUTRAL)
    # Each pixel's label says which of the zeros, the pixels that have a colour, is the nearest.
    _, labels = cv2.distanceTransformWithLabels(
        empty.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    palette = np.zeros((labels.max() + 1, 3), dtype=np.uint16)
    palette[labels[~empty]] = color[~empty]
    return np.asarray(np.where(empty[..., None], palette[labels], color))


@dataclass(frozen=True)
class Picture:
    """A frame as the viewer sees it.

    ``image``: (3, h, w) float32 in [0, 1]. ``alpha``: (h, w) uint16, or None where the picture has none.
    """

    image: torch.Tensor
    alpha: npt.NDArray[np.uint16] | None


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


def as_written(image: torch.Tensor, alpha: npt.NDArray[np.uint16] | None) -> npt.NDArray[np.float32]:
    """(3, h, w) float32 in [0, 1] as it is read again from its file: (h, w, 3) float32, rounded to 16 bits, and with
    colours from beside where it is transparent."""
    picture = to_picture(image, alpha)
    color = picture if alpha is None else fill_transparent(picture)
    return color.astype(np.float32) / np.float32(65535)
