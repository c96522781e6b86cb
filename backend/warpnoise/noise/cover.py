"""Which places atoms already cover: where a surface comes back with its noise, nothing is born."""

from __future__ import annotations

import torch
from torch import Tensor

from .pyramid import Pyramid
from .reference import leaf_nodes
from .table import Atoms, AtomTable

REACH = 2  # leaves around an atom's own that its area may reach into
SLACK = 0.02  # of an area's sides: so that no crack is left between neighbours


def leaves_covered(table: AtomTable, pyramid: Pyramid, atoms: Atoms, frame: int) -> Tensor:
    """Marks the leaves of a frame whose points lie in the area of an atom.

    Args:
        atoms: seen in that frame; their cells are in the table.

    Returns:
        (height * width, k * k) bool.
    """
    k, height, width = pyramid.atoms, pyramid.height, pyramid.width
    device = atoms.x.device
    covered = torch.zeros(height * width * k * k, dtype=torch.bool, device=device)
    s = atoms.stretch.to(torch.float64)
    determinant = s[:, 0] * s[:, 3] - s[:, 1] * s[:, 2]
    sound = (determinant != 0).nonzero()[:, 0]
    atoms, s, determinant = atoms.at(sound), s[sound], determinant[sound]
    nodes = table.nodes(atoms.cell, atoms.code)
    u, v = pyramid.points(nodes)
    left, top, wide, high = pyramid.rectangle(nodes)
    order = _leaf_order(pyramid, device)
    column, row = (atoms.x * k).to(torch.int64), (atoms.y * k).to(torch.int64)
    for dy in range(-REACH, REACH + 1):
        for dx in range(-REACH, REACH + 1):
            i, j = column + dx, row + dy
            near = ((i >= 0) & (i < width * k) & (j >= 0) & (j < height * k)).nonzero()[:, 0]
            i, j = i[near], j[near]
            pixel, leaf = (j // k) * width + i // k, order[j % k, i % k]
            x, y = pyramid.jitter(leaf_nodes(pyramid, pixel, leaf, frame))
            off_x, off_y = x - atoms.x[near], y - atoms.y[near]
            m, det = s[near], determinant[near]
            # Back to the frame of birth: is the point in the node's rectangle there?
            at_u = (u[near] + (m[:, 3] * off_x - m[:, 1] * off_y) / det - left[near]) / wide[near]
            at_v = (v[near] + (m[:, 0] * off_y - m[:, 2] * off_x) / det - top[near]) / high[near]
            holds = (at_u >= -SLACK) & (at_u <= 1 + SLACK) & (at_v >= -SLACK) & (at_v <= 1 + SLACK)
            covered[(pixel * k * k + leaf)[holds]] = True
    return covered.view(height * width, k * k)


def _leaf_order(pyramid: Pyramid, device: torch.device) -> Tensor:
    """(k, k) int64: the place in the tree's order of the leaf in a row and column of a pixel."""
    k = pyramid.atoms
    row, column = torch.meshgrid(torch.arange(k, device=device), torch.arange(k, device=device), indexing="ij")
    result = torch.zeros_like(row)
    for bit in range(k.bit_length() - 2, -1, -1):
        result = (result << 2) | (((column >> bit) & 1) << 1) | ((row >> bit) & 1)
    return result
