"""The patterns with which painting commutes with shifts, as far as the channels allow.

White pixel noise n, of spectrum n(k) at alias k, is read as z_c = sum_k conj(P_c(k)) n(k), and the decoder paints it at
alias m as sum_c D_c(m) z_c. Painting commutes with all shifts if and only if nothing goes from one alias to another.
So the energy of the blocks m = k of D P^H is maximized over orthonormal rows, P P^H = 1, together with the energy of P
within a few cells. Both are convex functions of P: the polar factor of their gradient never decreases the sum (Journée
et al., "Generalized power method for sparse principal component analysis", JMLR 2010).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from warpnoise.sdedit.filter_bank.spectrum import LATTICE, aliases, bank_of, half_weights, polar
from warpnoise.sdedit.filter_bank.whitening import correlations, deviation

CELLS = 3
"""A pattern's size on a side, in cells."""

_ITERATIONS = 25
_COMPACTNESS = 0.02  # the weight of compactness in the first iteration; 1.9 in the last
_GROWTH = 1.2
_ROUNDS = 40
_NEAR = 0.5  # well within MAX_DEVIATION


def choose_patterns(response: Tensor, cell: int, scale: int) -> Tensor:
    """The patterns for a decoder's response, nearly orthonormal.

    Patterns that are compact and exactly orthonormal exist, but not near the best ones: with the tiny FLUX.2 decoder
    the equivariant share falls from 0.97 to 0.90 for patterns of two cells. ``Whitening`` does the rest instead.

    Args:
        response: (channels, 3, 3 * cell, 3 * cell).
        cell: pixels on a side of a latent.
        scale: pixels on a side of a value of the noise; divides ``cell``.

    Returns:
        (channels, 3, CELLS * size, CELLS * size) float64, with size = cell / scale.
    """
    size = cell // scale
    painted = aliases(response, cell)
    parts = _folded(painted, cell, scale)
    unit = float(_energy(painted)) / (LATTICE**2 * painted.shape[1])
    rows = polar(aliases(F.avg_pool2d(response, scale) * scale, size))
    patterns = bank_of(rows, size, CELLS)
    for iteration in range(_ITERATIONS):
        gradient = unit * _COMPACTNESS * _GROWTH**iteration * aliases(patterns, size)
        for part, power in parts:
            block = torch.einsum("wckx,wcky->wkxy", part, rows.conj()) * power
            gradient += torch.einsum("wckx,wkxy->wcky", part, block.conj())
        rows = polar(gradient)
        patterns = bank_of(rows, size, CELLS)
    for _ in range(_ROUNDS):
        if deviation(correlations(patterns, size)) < _NEAR:
            break
        patterns = bank_of(polar(aliases(patterns, size)), size, CELLS)
    return patterns


def equivariant_share(patterns: Tensor, response: Tensor, cell: int, scale: int) -> float:
    """The share of the painted energy that stays in its alias, 0 to 1, for patterns made exactly orthonormal."""
    rows = polar(aliases(patterns, cell // scale))
    painted = aliases(response, cell)
    blocks = [
        torch.einsum("wckx,wcky->wkxy", part, rows.conj()) * power.sqrt()
        for part, power in _folded(painted, cell, scale)
    ]
    return float(sum(_energy(block) for block in blocks) / _energy(painted))


def _energy(spectrum: Tensor) -> Tensor:
    return (spectrum.abs().square().flatten(1).sum(1) * half_weights()).sum()


def _folded(painted: Tensor, cell: int, scale: int) -> list[tuple[Tensor, Tensor]]:
    """The response's aliases in groups that noise of ``scale`` x ``scale`` pixels a value cannot tell apart.

    Returns:
        For each group its aliases (frequencies, channels, (cell / scale) ** 2, 3), and the power transfer of such a
        value (a box) at them, (frequencies, (cell / scale) ** 2, 1, 1).
    """
    size, half = cell // scale, LATTICE // 2 + 1
    box = torch.zeros(LATTICE * cell, dtype=torch.float64)
    box[:scale] = 1 / scale
    power = torch.fft.fft(box).abs().square().view(scale, size, LATTICE)
    parts = painted.view(-1, painted.shape[1], scale, size, scale, size, 3)
    return [
        (
            parts[:, :, i, :, j].reshape(len(painted), -1, size * size, 3),
            torch.einsum("aw,bv->wvab", power[i], power[j, :, :half]).reshape(-1, size * size, 1, 1),
        )
        for i in range(scale)
        for j in range(scale)
    ]
