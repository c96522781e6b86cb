"""Measures how well pictures move with the scene: warp error, texture incoherence and sharpness of a sequence.

Each frame is compared with the frame ``lag`` before it, moved by the true motion, on pixels that were visible all the
time. Warp error is the usual metric (Lai et al. 2018). A blurred picture scores well on it, hence the other two.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from warpnoise.coherence.sampling import catmull_rom
from warpnoise.compare.metrics.correspondence import Correspondence

BLUR_PX = 3.0
"""Standard deviation of the Gaussian that takes light and shading off the texture."""

_MARGIN_PX = 2 * BLUR_PX
"""So near to the frame's border the blur lacks what the other frame still shows: textures are not compared there."""

Picture = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Coherence:
    """The figures of one sequence. Those by lag lack the lags over which nothing was visible.

    ``warp_error``: mean squared difference, values being in [0, 1]. ``incoherence``: 0 moves with the surface, 1 is
    unrelated. ``gradient_energy``: mean squared difference of neighbouring pixels.
    """

    warp_error: dict[int, float]
    incoherence: dict[int, float]
    gradient_energy: float


@dataclass
class _Sums:
    """Over all pixels, channels and frames of one lag."""

    values: int = 0
    squares: float = 0.0
    texture_squares: float = 0.0
    texture_variances: float = 0.0


class CoherenceMeter:
    """Takes a sequence frame by frame, and holds as many frames as the longest lag."""

    def __init__(self, lags: Sequence[int]) -> None:
        self._sums = {lag: _Sums() for lag in lags}
        self._past: deque[tuple[Picture, Picture]] = deque(maxlen=max(lags) + 1)  # the newest first
        self._gradients: list[float] = []

    def add(self, picture: Picture, correspondences: Iterable[Correspondence]) -> None:
        """The next frame, (h, w, channels) float32 in [0, 1], and its correspondences with the frames before."""
        self._past.appendleft((picture, texture(picture)))
        self._gradients.append(gradient_energy(picture))
        for correspondence in correspondences:
            if correspondence.lag in self._sums and correspondence.visible.any():
                self._compare(correspondence, self._sums[correspondence.lag])

    def result(self) -> Coherence:
        """The figures of the frames so far. Raises ValueError if there are none."""
        if not self._gradients:
            raise ValueError("expected at least one frame, got none")
        return Coherence(
            warp_error={lag: sums.squares / sums.values for lag, sums in self._sums.items() if sums.values},
            incoherence={
                lag: sums.texture_squares / sums.texture_variances
                for lag, sums in self._sums.items()
                if sums.texture_variances
            },
            gradient_energy=float(np.mean(self._gradients)),
        )

    def _compare(self, correspondence: Correspondence, sums: _Sums) -> None:
        here, there = correspondence.visible, correspondence.position[correspondence.visible]
        (picture, detail), (old_picture, old_detail) = self._past[0], self._past[correspondence.lag]
        difference = picture[here] - catmull_rom(old_picture, there)
        sums.values += difference.size
        sums.squares += _squares(difference)
        here, there = _off_the_border(correspondence)
        if not here.any():
            return
        a, b = detail[here], catmull_rom(old_detail, there)
        sums.texture_squares += _squares(a - b)
        # Twice the texture's variance, but each picture's own: reading between pixels takes some off the older one,
        # and unrelated textures must give 1.
        sums.texture_variances += _squares(a - a.mean(axis=0)) + _squares(b - b.mean(axis=0))


def _off_the_border(correspondence: Correspondence) -> tuple[npt.NDArray[np.bool_], Picture]:
    """The visible pixels that are far enough from the border in both frames, and where they were."""
    height, width = correspondence.visible.shape
    y, x = np.ogrid[:height, :width]
    here = correspondence.visible & _inside(x, width) & _inside(y, height)
    there = correspondence.position[here]
    inside = _inside(there[:, 0], width) & _inside(there[:, 1], height)
    here[here] = inside
    return here, there[inside]


def _inside(coordinate: npt.NDArray[Any], size: int) -> npt.NDArray[np.bool_]:
    return np.asarray((coordinate >= _MARGIN_PX) & (coordinate <= size - 1 - _MARGIN_PX))


def texture(picture: Picture) -> Picture:
    """The rest of a picture (h, w, channels) after subtracting a Gaussian blur of ``BLUR_PX``."""
    blurred = cv2.GaussianBlur(picture, (0, 0), BLUR_PX, borderType=cv2.BORDER_REFLECT)
    return np.asarray(picture - blurred.reshape(picture.shape), dtype=np.float32)


def gradient_energy(picture: Picture) -> float:
    """Mean squared difference of pixels that are neighbours in a row, plus that of neighbours in a column."""
    down, along = np.diff(picture, axis=0), np.diff(picture, axis=1)
    return sum(_squares(difference) / max(difference.size, 1) for difference in (down, along))


def _squares(values: Picture) -> float:
    return float(np.square(values, dtype=np.float64).sum())


def low_band_drift(picture: Picture, baseline: Picture) -> float:
    """Root mean square difference of two pictures after a Gaussian blur of ``BLUR_PX``.

    A ghost, or a picture that drifts over a shot, is perfectly coherent and may be sharp, but differs from the picture
    that the model makes from the frame alone.
    """
    difference = cv2.GaussianBlur(picture - baseline, (0, 0), BLUR_PX, borderType=cv2.BORDER_REFLECT)
    return float(np.sqrt(np.square(difference, dtype=np.float64).mean()))
