"""The readable engine: every step in vectorized torch, on any device. The compiled one is held against it."""

from __future__ import annotations

import torch
from torch import Tensor

from .cover import without_covered
from .follow import GONE, HIDDEN, LARGE, SEEN, find_calm, follow, follow_hidden
from .hidden import beside, hide
from .passage import Passage, pixel_of
from .pyramid import Pyramid, bit_length, leaf_nodes
from .rigid import deviations
from .split import find_halves, split
from .table import AtomTable

CHUNK = 1 << 20


def move_atoms(passage: Passage, table: AtomTable, pyramid: Pyramid) -> tuple[Tensor, Tensor]:
    """Moves a table's atoms in place, but for those that are not seen in the end frame.

    Returns:
        (n,) int8: GONE, HIDDEN, SEEN, or LARGE for those seen whose area now is above that at which they are split;
        (height * width,) bool: the noise pixels in which atoms are seen.
    """
    atoms = table.atoms
    status, x, y, m = follow(passage, atoms.x, atoms.y)
    seen = status == SEEN
    atoms.x.copy_(torch.where(seen, x, atoms.x))
    atoms.y.copy_(torch.where(seen, y, atoms.y))
    j = atoms.stretch
    moved = torch.stack(
        [m[:, r] * j[:, c] + m[:, r + 1] * j[:, 2 + c] for r in (0, 2) for c in (0, 1)],
        dim=1,
    )
    j.copy_(torch.where(seen[:, None], moved, j))
    pixel, measure = ground(table, pyramid)
    area = torch.abs(j[:, 0] * j[:, 3] - j[:, 1] * j[:, 2]) * measure
    occupied = torch.zeros(pyramid.height * pyramid.width, dtype=torch.bool, device=x.device)
    occupied[pixel[seen]] = True
    # What did not grow was split already, if it was to be; unless it was too large for that.
    grown = torch.abs(m[:, 0] * m[:, 3] - m[:, 1] * m[:, 2]) > 1
    grown |= area > 2 * pyramid.least_split
    over = (seen & grown & (area > pyramid.least_split)).nonzero()[:, 0]
    over = over[area[over] > pyramid.split_area(table.nodes(atoms.cell[over], atoms.code[over]))]
    status[over] = LARGE
    return status.to(torch.int8), occupied


def uncovered(behind: Passage, pyramid: Pyramid, frame: int) -> Tensor:
    """Which leaves of the new frame's pixels show what the old frame did not.

    Args:
        behind: the way from the new frame to the old.
        frame: the new frame's number.

    Returns:
        (height * width,) int64: bit b is the leaf of heap code k * k + b.
    """
    height, width = pyramid.height, pyramid.width
    leaves = 1 << pyramid.depth
    result = torch.zeros(height * width, dtype=torch.int64, device=behind.there.device)
    codes = torch.arange(leaves, device=result.device)
    rows = max(1, CHUNK // (width * leaves))
    for first in range(0, height, rows):
        pixels = torch.arange(first * width, min(first + rows, height) * width, device=result.device)
        nodes = leaf_nodes(pyramid, pixels[:, None], codes[None, :], frame)
        x, y = (u.to(torch.float32) for u in pyramid.jitter(nodes))
        seen = follow(behind, x, y).status == SEEN
        if behind.calm.numel():
            seen |= behind.calm[pixel_of(behind, x, y)]
        bits = torch.where(seen.view(len(pixels), leaves), 0, torch.ones_like(codes) << codes)
        result[pixels] = bits.sum(dim=1)
    return result


def ground(table: AtomTable, pyramid: Pyramid) -> tuple[Tensor, Tensor]:
    """(n,) int64 the noise pixel that each atom lies in, row-major; (n,) float32 its measure, in pixels."""
    atoms = table.atoms
    level = table.cell_rows[atoms.cell.to(torch.int64), 1] + bit_length(atoms.code) - 1
    return pyramid.pixel(atoms.x, atoms.y), pyramid.measure(level)


def accumulate(
    table: AtomTable,
    pyramid: Pyramid,
    values: Tensor,
    first: int,
    sums: Tensor,
    total: Tensor,
) -> None:
    """Adds the values (n, c) and the measures of atoms ``first`` to ``first + n`` to the sums (pixels, c) and totals
    (pixels,) of the pixels that they lie in, in the atoms' order."""
    pixel, measure = (column[first : first + len(values)] for column in ground(table, pyramid))
    order = torch.argsort(pixel, stable=True)
    lengths = torch.bincount(pixel, minlength=len(sums))
    sums += torch.segment_reduce(values[order], "sum", lengths=lengths)
    total += torch.segment_reduce(measure[order], "sum", lengths=lengths)


def born(pyramid: Pyramid, frame: int, pixels: Tensor, masks: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The atoms that pixels give birth to.

    Args:
        pixels: (n,) int64.
        masks: (n,) int64: which leaves (see :func:`uncovered`), none empty.

    Returns:
        Of each atom x, y (float32), the place of its pixel in ``pixels`` and its heap code (int32).
    """
    leaves = 1 << pyramid.depth
    codes = torch.arange(leaves, device=pixels.device)
    parts = []
    for first in range(0, max(len(pixels), 1), CHUNK // leaves):
        some = slice(first, first + CHUNK // leaves)
        place, code = ((masks[some, None] >> codes) & 1).nonzero(as_tuple=True)
        x, y = pyramid.jitter(leaf_nodes(pyramid, pixels[some][place], code, frame))
        parts.append(
            (
                x.to(torch.float32),
                y.to(torch.float32),
                (place + first).int(),
                (code + leaves).int(),
            )
        )
    x, y, place, code = (torch.cat(column) for column in zip(*parts, strict=True))
    return x, y, place, code


def values(pyramid: Pyramid, table: AtomTable, rows: Tensor, channels: int, map_: int) -> Tensor:
    """(n, channels) float32: the white noise of the atoms in some rows of a table."""
    atoms = table.columns
    parts = [
        pyramid.values(table.nodes(atoms.cell[some], atoms.code[some]), channels, map_)
        for some in torch.split(rows, CHUNK // 4)
    ]
    return torch.cat(parts) if parts else torch.empty((0, channels), device=rows.device)


def refined(
    pyramid: Pyramid, table: AtomTable, cell: Tensor, code: Tensor, above: Tensor, above_rows: Tensor, map_: int
) -> Tensor:
    """(n, channels) float32: the white noise of nodes below others whose values a table keeps.

    Args:
        cell, code: (n,) int32, of the nodes.
        above: (n,) int32: heap codes, below the same cells, of nodes that these lie in.
        above_rows: (n,) int64: the rows in which the values of those stand.
    """
    # They decide the result, but it can be had without them.
    return pyramid.values(table.nodes(cell, code), table.values[map_].shape[1], map_)


def finish(sums: Tensor, measures: Tensor, channels: int, height: int, width: int) -> Tensor:
    """(channels, height, width) noise from the pixels' sums and measures: W(A) / sqrt(|A|)."""
    return (sums / torch.sqrt(measures)[:, None]).T.reshape(channels, height, width).contiguous()


__all__ = [
    "GONE",
    "HIDDEN",
    "LARGE",
    "SEEN",
    "accumulate",
    "beside",
    "born",
    "deviations",
    "find_calm",
    "find_halves",
    "finish",
    "follow_hidden",
    "hide",
    "move_atoms",
    "refined",
    "split",
    "uncovered",
    "values",
    "without_covered",
]
