"""Pictures as if they had been rendered small and enlarged again."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt


def enlarged_again(picture: npt.NDArray[np.float32], width: int, height: int) -> npt.NDArray[np.float32]:
    """A picture, (h, w, channels), as if it had been rendered ``width`` x ``height`` small and enlarged again."""
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, picture.shape[1::-1], interpolation=cv2.INTER_CUBIC), np.float32)
