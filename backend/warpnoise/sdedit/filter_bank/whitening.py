"""Exactly white latents from patterns that are nearly orthonormal."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_ITERATIONS = 6
MAX_DEVIATION = 0.7
"""Of the spectrum from 1. Newton's iteration converges below 1."""


def correlations(patterns: Tensor, size: int) -> Tensor:
    """(channels, channels, L, L) float64: [c, d, l] is the covariance of channel c of a cell with channel d of the cell
    l before it, for white noise; lag 0 stands in the middle."""
    bank = patterns.double()
    # Out of [d, c]: the sum over x of P_d(x + size * l) P_c(x).
    return F.conv2d(bank, bank, stride=size, padding=patterns.shape[-1] - size).transpose(0, 1)


class Whitening:
    """Multiplies latents by S ** (-1/2) at each frequency of a torus, S being their cross-spectrum.

    It is the smallest change that makes them white, and commutes with shifts by whole cells.

    Args:
        lags: from ``correlations``.
        height, width: of the latents.
        device: where they are.
    """

    def __init__(self, lags: Tensor, height: int, width: int, device: torch.device) -> None:
        channels, reach = len(lags), lags.shape[-1] // 2
        at = torch.arange(-reach, reach + 1)
        index = (at[:, None] % height * width + at % width).flatten()
        torus = torch.zeros((channels, channels, height * width), dtype=torch.float64)
        torus.index_add_(2, index, lags.cpu().flatten(2))
        spectrum = torch.fft.rfft2(torus.view(channels, channels, height, width).float().to(device))
        spectrum = spectrum.permute(2, 3, 0, 1).contiguous()
        self.size = (height, width)
        self.device = device
        self._root = _inverse_root(spectrum)

    def __call__(self, latents: Tensor) -> Tensor:
        """(b, channels, height, width) float32, as the argument."""
        spectrum = torch.fft.rfft2(latents).permute(2, 3, 1, 0)
        white = (self._root @ spectrum).permute(3, 2, 0, 1)
        result: Tensor = torch.fft.irfft2(white, s=self.size)
        return result


def deviation(lags: Tensor) -> float:
    """A bound of how far the eigenvalues of the cross-spectrum are from 1, on any torus."""
    excess = lags.clone()
    middle = lags.shape[-1] // 2
    excess[:, :, middle, middle] -= torch.eye(len(lags), dtype=lags.dtype)
    size = 4 * lags.shape[-1]
    spectrum = torch.fft.fft2(excess, s=(size, size)).permute(2, 3, 0, 1)
    return float(torch.linalg.matrix_norm(spectrum).max())


def _inverse_root(matrices: Tensor) -> Tensor:
    """Hermitian (..., n, n) near 1 to the power of -1/2, by the coupled Newton iteration (Higham, "Functions of
    Matrices", 2008, eq. 6.35). Batched products are much faster than eigenvectors."""
    unit = torch.eye(matrices.shape[-1], dtype=matrices.dtype, device=matrices.device)
    root, inverse = matrices, unit.expand_as(matrices)
    for _ in range(_ITERATIONS):
        factor = 1.5 * unit - 0.5 * (inverse @ root)
        root, inverse = root @ factor, factor @ inverse
    return inverse
