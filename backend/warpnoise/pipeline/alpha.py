"""Fills transparent areas with colour. Renderers leave black there, which a model would take as part of the picture."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

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
