"""Distance of frames to the expected ones: PSNR, SSIM, and the sliced Wasserstein distance of two sets of pictures.

The sliced Wasserstein distance compares patches of Laplacian pyramids (Karras et al. 2018). It measures textures,
wherever they are in the picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.float32]

_SIGMA = 1.5
_WINDOW = (11, 11)
_C1, _C2 = 0.01**2, 0.03**2


def psnr(picture: Picture, reference: Picture) -> float:
    """Peak signal-to-noise ratio in dB of (h, w, channels) float32 in [0, 1]; infinite for equal pictures."""
    error = float(np.square(picture - reference, dtype=np.float64).mean())
    return math.inf if error == 0 else -10 * math.log10(error)


def ssim(picture: Picture, reference: Picture) -> float:
    """Structural similarity (Wang et al. 2004), mean over pixels and channels; 1 for equal pictures.

    Their Gaussian window of 11 x 11 with sigma 1.5; only windows that lie whole in the picture count, unless it is
    smaller than a window. Both (h, w, channels) float32 in [0, 1].
    """
    x, y = picture.astype(np.float64), reference.astype(np.float64)
    mean_x, mean_y = _blur(x), _blur(y)
    var_x, var_y = _blur(x * x) - mean_x**2, _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    similarity = ((2 * mean_x * mean_y + _C1) * (2 * covariance + _C2)) / (
        (mean_x**2 + mean_y**2 + _C1) * (var_x + var_y + _C2)
    )
    margin = _WINDOW[0] // 2
    if min(picture.shape[:2]) > 2 * margin:
        similarity = similarity[margin:-margin, margin:-margin]
    return float(similarity.mean())


def _blur(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    blurred = cv2.GaussianBlur(values, _WINDOW, _SIGMA, borderType=cv2.BORDER_REFLECT)
    return np.asarray(blurred, dtype=np.float64).reshape(values.shape)


PATCH_PX = 7
PATCHES = 128
"""Patches of each picture and level."""
PROJECTIONS = 512
SMALLEST_PX = 16
"""The pyramid's coarsest level is the last whose shorter side has at least so many pixels."""


class PatchSampler:
    """Collects the patches of one set of pictures; the same seed takes them from the same places."""

    def __init__(self, seed: int = 0) -> None:
        self._random = np.random.default_rng(seed)
        self._levels: list[list[npt.NDArray[np.float32]]] = []

    def add(self, picture: Picture) -> None:
        """One picture, (h, w, 3) float32 in [0, 1], at least ``PATCH_PX`` on its shorter side."""
        for level, layer in enumerate(laplacian_pyramid(picture)):
            if level == len(self._levels):
                self._levels.append([])
            self._levels[level].append(self._patches(layer))

    def descriptors(self) -> list[npt.NDArray[np.float32]]:
        """For each level (patches, 49 * 3), each channel with mean 0 and variance 1, as Karras et al. have them."""
        return [_normalized(np.concatenate(patches)) for patches in self._levels]

    def _patches(self, layer: Picture) -> npt.NDArray[np.float32]:
        height, width = layer.shape[:2]
        top = self._random.integers(0, height - PATCH_PX + 1, PATCHES)
        left = self._random.integers(0, width - PATCH_PX + 1, PATCHES)
        offset = np.arange(PATCH_PX)
        rows, columns = top[:, None, None] + offset[:, None], left[:, None, None] + offset
        return np.asarray(layer[rows, columns], dtype=np.float32)


def sliced_wasserstein(
    a: Sequence[npt.NDArray[np.float32]], b: Sequence[npt.NDArray[np.float32]], seed: int = 0
) -> float:
    """Distance of two sets of descriptors (see ``PatchSampler``), mean over levels, times 1000 as is the custom.

    Raises ValueError for sets of different sizes.
    """
    if [level.shape for level in a] != [level.shape for level in b]:
        raise ValueError(f"expected sets of the same size, got {[x.shape for x in a]} and {[x.shape for x in b]}")
    random = np.random.default_rng(seed)
    distances = []
    for descriptors_a, descriptors_b in zip(a, b, strict=True):
        directions = random.standard_normal((descriptors_a.shape[1], PROJECTIONS)).astype(np.float32)
        directions /= np.linalg.norm(directions, axis=0)
        projected = [np.sort(descriptors @ directions, axis=0) for descriptors in (descriptors_a, descriptors_b)]
        distances.append(float(np.abs(projected[0] - projected[1]).mean()))
    return 1000 * float(np.mean(distances))


def laplacian_pyramid(picture: Picture) -> list[Picture]:
    """The picture's levels (h, w, c), the finest first, that sum up to it once enlarged; the last is the rest."""
    levels = []
    while min(picture.shape[:2]) >= 2 * SMALLEST_PX:
        smaller = cv2.pyrDown(picture)
        levels.append(picture - cv2.pyrUp(smaller, dstsize=(picture.shape[1], picture.shape[0])))
        picture = np.asarray(smaller, dtype=np.float32)
    return [*levels, picture]


def _normalized(patches: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    mean, deviation = patches.mean(axis=(0, 1, 2)), patches.std(axis=(0, 1, 2))
    return np.asarray((patches - mean) / np.maximum(deviation, 1e-6), dtype=np.float32).reshape(len(patches), -1)
