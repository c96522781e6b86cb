"""The anisotropic Kuwahara filter, which flattens a picture to patches along its edges."""

from __future__ import annotations

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Field = NDArray[np.float32]

SECTORS = 8
STRETCHES = (1.25, 1.75)
"""Of the ellipse, where the picture has no direction and where it has one."""


def flow(image: Image, sigma: float = 2.5) -> tuple[Field, Field]:
    """Orientation along the edges (radians) and anisotropy in [0, 1] from the smoothed structure tensor.

    Kyprianidis and Doellner, "Image Abstraction by Structure Adaptive Filtering" (2008).
    """
    dx = cv2.Sobel(image, cv2.CV_32F, 1, 0, ksize=3, borderType=cv2.BORDER_REFLECT_101)
    dy = cv2.Sobel(image, cv2.CV_32F, 0, 1, ksize=3, borderType=cv2.BORDER_REFLECT_101)
    e, g, f = (
        cv2.GaussianBlur((a * b).sum(2), (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
        for a, b in ((dx, dx), (dy, dy), (dx, dy))
    )
    spread = np.sqrt((e - g) ** 2 + 4 * f**2)
    along = 0.5 * np.arctan2(2 * f, e - g) + np.pi / 2
    return along.astype(np.float32), (spread / (e + g + 1e-4)).astype(np.float32)


def kuwahara(image: Image, radius: float = 4.0, sharpness: float = 8.0, orientations: int = 8) -> Image:
    """Flattens a picture to brush-sized patches that follow the edges, and keeps these sharp.

    Kyprianidis, Kang and Doellner, "Image and Video Abstraction by Anisotropic Kuwahara Filtering" (2009). Each pixel
    takes the mean of eight sectors of an ellipse laid along the edge, weighted by the inverse of their deviation. The
    orientation is rounded to one of `orientations`, and the ellipse's stretch to one of two, so that few sets of
    sectors serve all pixels.

    Args:
        image: (h, w, 3) float32 in [0, 1].
        radius: in pixels. The ellipse's half axes are the radius times its stretch, and divided by it.
    """
    along, anisotropy = flow(image)
    turn = np.round(along / (np.pi / orientations)).astype(np.int64) % orientations
    choice = len(STRETCHES) * turn + (anisotropy >= 0.5)
    ellipses = [_ellipse(radius, long, k * np.pi / orientations) for k in range(orientations) for long in STRETCHES]
    first = np.cumsum([0, *(len(offsets) for offsets, _ in ellipses)])
    offsets, weights = (np.concatenate(parts) for parts in zip(*ellipses, strict=True))
    reach = int(np.abs(offsets).max())
    padded = cv2.copyMakeBorder(image, reach, reach, reach, reach, cv2.BORDER_REFLECT_101)
    result = np.empty_like(image)
    _filter(np.asarray(padded, np.float32), choice, first, offsets + reach, weights, np.float32(sharpness / 2), result)
    return np.clip(result, 0, 1)


def _ellipse(radius: float, stretch: float, angle: float) -> tuple[NDArray[np.int64], Field]:
    """The pixels of an ellipse of half axes radius * stretch (at `angle`) and radius / stretch: their offsets (n, 2), y
    and x, and what each is worth in every sector (n, SECTORS), summing to 1 in each."""
    reach = int(np.ceil(radius * stretch))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    u = (np.cos(angle) * x + np.sin(angle) * y) / (radius * stretch)
    v = (-np.sin(angle) * x + np.cos(angle) * y) / (radius / stretch)
    inside = u**2 + v**2 <= 1.3
    u, v = u[inside, None], v[inside, None]
    turned = np.arctan2(v, u) - 2 * np.pi * np.arange(SECTORS) / SECTORS
    wedge = np.where((u == 0) & (v == 0), 1.0, np.clip(np.cos(turned), 0, None) ** 6)
    weights = np.exp(-2.5 * (u**2 + v**2)) * wedge
    return np.stack([y[inside], x[inside]], 1), (weights / weights.sum(0)).astype(np.float32)


@numba.njit(cache=True)
def _filter(
    padded: Image,
    choice: NDArray[np.int64],
    first: NDArray[np.int64],
    offsets: NDArray[np.int64],
    weights: Field,
    power: np.float32,
    result: Image,
) -> None:
    """Filters each pixel with its ellipse: `offsets[first[c] : first[c + 1]]` for the choice c."""
    mean, square = np.empty((SECTORS, 3), np.float32), np.empty((SECTORS, 3), np.float32)
    for row in range(result.shape[0]):
        for column in range(result.shape[1]):
            mean[:], square[:] = 0, 0
            ellipse = choice[row, column]
            for n in range(first[ellipse], first[ellipse + 1]):
                y, x = row + offsets[n, 0], column + offsets[n, 1]
                for sector in range(SECTORS):
                    weight = weights[n, sector]
                    if weight > 0:
                        for c in range(3):
                            value = padded[y, x, c]
                            mean[sector, c] += weight * value
                            square[sector, c] += weight * value * value
            total = np.float32(0)
            result[row, column] = 0
            for sector in range(SECTORS):
                deviation = np.float32(0)
                for c in range(3):
                    deviation += np.sqrt(max(square[sector, c] - mean[sector, c] ** 2, np.float32(0)))
                worth = np.float32(1e-12) + np.float32(1) / (1 + (np.float32(255 / 6) * deviation) ** power)
                total += worth
                for c in range(3):
                    result[row, column, c] += worth * mean[sector, c]
            for c in range(3):
                result[row, column, c] /= total
