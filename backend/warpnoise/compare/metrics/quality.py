"""Distance of a frame to the frame that it should be: PSNR and SSIM."""

from __future__ import annotations

import math

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
