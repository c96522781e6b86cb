"""Refining atoms where the picture grows, and joining them again where it shrinks: what the readable engine does."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .passage import Passage, inside, pixel_of
from .pyramid import MAX_CODE, Nodes, Pyramid
from .table import Atoms, AtomTable

ROUNDS = 12  # of halving a step: a surface may grow to 4096 times its area from one frame to the next
JOIN_BELOW = 0.75  # halves are joined if their whole is below this part of the area at which it would split again
NEAR = 2  # noise pixels along x and y: halves that lie further apart are not joined


class Halves(NamedTuple):
    """What splitting atoms came to."""

    code: Tensor  # (n,) int32: the atoms' codes now
    more: Atoms  # halves that parted from them, to be added
    source: Tensor  # int64: which of the atoms each of ``more`` comes from
    lost: Atoms  # halves that parted from them and are not seen
    lost_x: Tensor  # float32: where the halves are that these parted from
    lost_y: Tensor


def split(passage: Passage, table: AtomTable, pyramid: Pyramid, atoms: Atoms) -> Halves:
    """Halves atoms until none covers more than its split area.

    The half that holds the atom's point stays there and takes the atom's row; the other half lies where the atom's
    stretch carries its own point. If that is on another surface or out of the frame, it is lost.

    Args:
        passage: the way that led to the frame in which the atoms are.
        atoms: seen atoms; their cells are in the table.
    """
    count = len(atoms.x)
    pool = Atoms(*(column.clone() for column in atoms))
    rows = source = torch.arange(count, device=atoms.x.device)
    lost, lost_x, lost_y = [atoms.at(rows[:0])], [atoms.x[:0]], [atoms.y[:0]]
    for _ in range(ROUNDS):
        nodes = table.nodes(pool.cell[rows], pool.code[rows])
        over = _area(pool.stretch[rows], nodes, pyramid) > pyramid.split_area(nodes)
        over &= pool.code[rows] < MAX_CODE
        rows = rows[over]
        if not len(rows):
            break
        kept_code, other = _halve(pool.at(rows), nodes.at(over), pyramid)
        shown = _shown(passage, pool.x[rows], pool.y[rows], other.x, other.y)
        pool.code[rows] = kept_code
        lost.append(other.at(~shown))
        lost_x.append(pool.x[rows][~shown])
        lost_y.append(pool.y[rows][~shown])
        first = len(pool.x)
        pool = Atoms.join([pool, other.at(shown)])
        source = torch.cat([source, source[rows][shown]])
        rows = torch.cat([rows, torch.arange(first, len(pool.x), device=rows.device)])
    more = Atoms(*(column[count:] for column in pool))
    return Halves(pool.code[:count], more, source[count:], Atoms.join(lost), torch.cat(lost_x), torch.cat(lost_y))


def _halve(atoms: Atoms, nodes: Nodes, pyramid: Pyramid) -> tuple[Tensor, Atoms]:
    """The heap codes of the halves that keep the atoms' points, and the other halves."""
    x, y = pyramid.points(nodes)
    side = pyramid.side_of(nodes, x, y)
    other_x, other_y = pyramid.points(nodes.child(1 - side))
    step_x, step_y = (other_x - x).to(torch.float32), (other_y - y).to(torch.float32)
    s = atoms.stretch
    other = Atoms(
        atoms.x + (s[:, 0] * step_x + s[:, 1] * step_y),
        atoms.y + (s[:, 2] * step_x + s[:, 3] * step_y),
        s,
        atoms.cell,
        (2 * atoms.code + 1 - side).to(torch.int32),
    )
    return (2 * atoms.code + side).to(torch.int32), other


def _shown(passage: Passage, x: Tensor, y: Tensor, other_x: Tensor, other_y: Tensor) -> Tensor:
    """Whether other points lie in the frame, on the surface on which the first ones do."""
    within = inside(passage, other_x, other_y)
    other_x, other_y = torch.where(within, other_x, x), torch.where(within, other_y, y)
    return within & (passage.end[pixel_of(passage, other_x, other_y)] == passage.end[pixel_of(passage, x, y)])


def find_halves(passage: Passage, table: AtomTable, pyramid: Pyramid) -> tuple[Tensor, Tensor]:
    """Pairs of halves whose whole has become small enough to take their place.

    They may lie in neighbouring pixels: the whole is an atom like others of its size, which reach over a pixel's
    border and count for the one that their point is in.

    Args:
        passage: the way that led to the frame in which the atoms are.

    Returns:
        The rows of the halves that hold the points of the wholes, and those of the others. int64.
    """
    atoms = table.atoms
    nodes = table.nodes(atoms.cell, atoms.code)
    parent = nodes.parent()
    small = _area(atoms.stretch, parent, pyramid) < JOIN_BELOW * pyramid.split_area(parent)
    rows = (small & (parent.level >= 0)).nonzero()[:, 0]
    _, group, sizes = torch.unique(torch.stack(parent.at(rows), dim=1), dim=0, return_inverse=True, return_counts=True)
    order = torch.argsort(group, stable=True)
    first = torch.cumsum(sizes, 0) - sizes
    a, b = (rows[order[first[sizes == 2] + which]] for which in (0, 1))

    ground = passage.end[pixel_of(passage, atoms.x, atoms.y)]
    fits = (ground[a] == ground[b]) & ((atoms.x[a] - atoms.x[b]).abs() < NEAR)
    fits &= (atoms.y[a] - atoms.y[b]).abs() < NEAR
    a, b = a[fits], b[fits]
    whole = parent.at(a)
    a_is_kept = nodes.side()[a] == pyramid.side_of(whole, *pyramid.points(whole))
    return torch.where(a_is_kept, a, b), torch.where(a_is_kept, b, a)


def join(table: AtomTable, kept: Tensor, dropped: Tensor) -> None:
    """Puts wholes in the place of their halves (see :func:`find_halves`), in the table itself."""
    for values in table.values.values():
        whole = values.index_select(0, kept) + values.index_select(0, dropped)  # exactly what it is worth
        values.index_copy_(0, kept, whole)
    code = table.columns.code[kept]
    table.columns.code[kept] = code >> 1
    outer = kept[code == 1]  # the half was a cell of its own: the whole is a new, larger cell
    if len(outer):
        parent = table.nodes(table.columns.cell[outer], torch.ones_like(outer)).parent()
        table.columns.cell[outer] = table.add_cells(parent)
        table.columns.code[outer] = 1
        table.plain = False
    table.close_up(torch.sort(dropped).values)


def _area(stretch: Tensor, nodes: Nodes, pyramid: Pyramid) -> Tensor:
    """The area that nodes of a stretch cover now, noise pixels. float32."""
    determinant = stretch[:, 0] * stretch[:, 3] - stretch[:, 1] * stretch[:, 2]
    return torch.abs(determinant) * pyramid.measure(nodes.level)
