"""The last stage: writes edited frames as 16-bit PNG files, each with its record."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from warpnoise.job import Result
from warpnoise.pipeline.alpha import fill_transparent
from warpnoise.pipeline.edit import EditedFrame


class FrameWriter:
    """Writes frames to a result; tells ``written`` of each."""

    def __init__(self, result: Result, *, preview: bool, written: Callable[[int], None]) -> None:
        self._result = result
        self._preview = preview
        self._written = written

    def __call__(self, edited: EditedFrame) -> None:
        """Raises JobError, MediaError: as ``Result.write_frame``."""
        picture = to_picture(edited.image, edited.source.picture.alpha)
        self._result.write_frame(edited.frame, picture, edited.source.made_of, preview=self._preview)
        self._written(edited.frame)


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
