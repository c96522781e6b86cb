"""Filter banks in the frequency domain, and their polar factor.

A bank is a real tensor (channels, 3, T * size, T * size): for each channel a pattern of T x T cells, centred on its
own cell, with ``size`` x ``size`` values a cell. Its *aliases* are its Fourier transform on a torus of N x N cells. One
row gathers the frequencies that the cell lattice cannot tell apart: (N * (N // 2 + 1), channels, size * size, 3)
complex128. Half of the lattice's frequencies suffice, as the bank is real. The scale makes rows orthonormal at each
frequency if the patterns, shifted by whole cells, are orthonormal (a para-unitary bank: Vaidyanathan, "Multirate
Systems and Filter Banks", 1993, chapter 6).
"""

from __future__ import annotations

import torch
from torch import Tensor

LATTICE = 8
"""N, even."""


def aliases(bank: Tensor, size: int) -> Tensor:
    """The aliases of a bank; see the module."""
    channels, colours, side, _ = bank.shape
    torus = bank.new_zeros((channels, colours, LATTICE * size, LATTICE * size), dtype=torch.float64)
    torus[..., :side, :side] = bank
    torus = torus.roll((_before(side, size),) * 2, dims=(2, 3))
    spectrum = torch.fft.fft2(torus) / size
    # A frequency's index is alias * LATTICE + (frequency of the lattice).
    spectrum = spectrum.view(channels, colours, size, LATTICE, size, LATTICE)[..., : LATTICE // 2 + 1]
    rows: Tensor = spectrum.permute(3, 5, 0, 2, 4, 1).reshape(-1, channels, size * size, colours)
    return rows


def bank_of(rows: Tensor, size: int, cells: int) -> Tensor:
    """The bank whose aliases these are, cut to ``cells`` x ``cells`` cells."""
    _, channels, _, colours = rows.shape
    half = rows.reshape(LATTICE, LATTICE // 2 + 1, channels, size, size, colours).permute(2, 5, 3, 0, 4, 1)
    spectrum = half.new_zeros((channels, colours, size, LATTICE, size, LATTICE))
    spectrum[..., : LATTICE // 2 + 1] = half * half_weights().view(LATTICE, -1)[0]
    torus: Tensor = torch.fft.ifft2(spectrum.reshape(channels, colours, LATTICE * size, LATTICE * size)).real * size
    side = cells * size
    return torus.roll((-_before(side, size),) * 2, dims=(2, 3))[..., :side, :side].contiguous()


def half_weights() -> Tensor:
    """(frequencies,) float64: how often each frequency of the stored half occurs in the whole spectrum."""
    weights = torch.full((LATTICE // 2 + 1,), 2.0, dtype=torch.float64)
    weights[0] = weights[-1] = 1
    return weights.repeat(LATTICE)


def gram(rows: Tensor) -> Tensor:
    """(frequencies, channels, channels): the scalar products of the rows at each frequency."""
    flat = rows.flatten(2)
    return flat @ flat.mH


def polar(rows: Tensor) -> Tensor:
    """The nearest rows that are orthonormal at each frequency: (A A^H)^(-1/2) A."""
    values, vectors = torch.linalg.eigh(gram(rows))
    values = values.clamp_min(1e-14 * float(values.max()))
    root = (vectors * values.rsqrt()[:, None, :].to(vectors.dtype)) @ vectors.mH
    nearest: Tensor = (root @ rows.flatten(2)).view(rows.shape)
    return nearest


def _before(side: int, size: int) -> int:
    """The shift of the torus after which the middle cell begins at 0."""
    return -(side // size // 2) * size
