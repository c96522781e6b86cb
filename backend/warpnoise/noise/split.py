"""Refining atoms where the picture grows, and joining them again where it shrinks."""

from __future__ import annotations

import torch
from torch import Tensor

from .hidden import beside, join_hidden
from .passage import Passage, inside, pixel_of
from .pyramid import MAX_CODE, Nodes, Pyramid
from .table import Atoms, AtomTable, HiddenAtoms, no_hidden

ROUNDS = 12  # of halving a step: a surface may grow to 4096 times its area from one frame to the next
JOIN_BELOW = 0.75  # halves are joined if their whole is below this part of the area at which it would split again


def split(passage: Passage, table: AtomTable, pyramid: Pyramid, atoms: Atoms) -> tuple[Atoms, Atoms, HiddenAtoms]:
    """Halves atoms until none covers more than its split area.

    The half that holds the atom's point stays there and takes the atom's row; the other half lies where the atom's
    stretch carries its own point. If that is on another surface or out of the frame, it goes on unseen if its surface
    can be tracked.

    Args:
        passage: the way that led to the frame in which the atoms are.
        atoms: seen atoms; their cells are in the table.

    Returns:
        The same atoms, some of them halves now; the atoms to add; and those to add to the hidden ones.
    """
    count = len(atoms.x)
    if not count:
        return atoms, atoms, no_hidden(atoms.x.device)
    pool = Atoms(*(column.clone() for column in atoms))
    rows = torch.arange(count, device=atoms.x.device)
    unseen = no_hidden(atoms.x.device)
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
        if len(passage.surfaces):
            lost = (~shown).nonzero()[:, 0]
            unseen = join_hidden(unseen, beside(passage, other.at(lost), pool.x[rows[lost]], pool.y[rows[lost]]))
        first = len(pool.x)
        pool = Atoms.join([pool, other.at(shown)])
        rows = torch.cat([rows, torch.arange(first, len(pool.x), device=rows.device)])
    return Atoms(*(column[:count] for column in pool)), Atoms(*(column[count:] for column in pool)), unseen


def _halve(atoms: Atoms, nodes: Nodes, pyramid: Pyramid) -> tuple[Tensor, Atoms]:
    """The heap codes of the halves that keep the atoms' points, and the other halves."""
    x, y = pyramid.points(nodes)
    left, top, width, height = pyramid.rectangle(nodes)
    side = torch.where(nodes.level % 2 == 0, x >= left + 0.5 * width, y >= top + 0.5 * height).to(torch.int64)
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


def join(passage: Passage, table: AtomTable, pyramid: Pyramid, rows: Tensor, anywhere: bool) -> tuple[Tensor, Tensor]:
    """Joins the halves of a node that shrank, in the table itself: the same value, exactly.

    Args:
        passage: the way that led to the frame in which the atoms are.
        rows: (n,) int64, ascending: the atoms to look at.
        anywhere: whether halves may lie in different pixels. That moves some noise to the neighbour, once, and is done
            for want of memory only; halves in the same pixel lose nothing.

    Returns:
        The rows that now hold whole nodes, and the rows that are to be taken out, ascending.
    """
    nodes = table.nodes(table.columns.cell[rows], table.columns.code[rows])
    parent = nodes.parent()
    atoms = table.columns.at(rows)
    pixel = atoms.y.to(torch.int64) * pyramid.width + atoms.x.to(torch.int64)
    keys = torch.stack([*parent, *([] if anywhere else [pixel])], dim=1)
    _, group, sizes = torch.unique(keys, dim=0, return_inverse=True, return_counts=True)
    order = torch.argsort(group, stable=True)
    first = order[torch.cumsum(sizes, 0) - sizes][sizes == 2]
    second = order[(torch.cumsum(sizes, 0) - sizes + 1).clamp(max=len(order) - 1)][sizes == 2]

    parent = parent.at(first)
    same = passage.end[pixel_of(passage, atoms.x, atoms.y)]
    small = _area(atoms.stretch[first], parent, pyramid) < JOIN_BELOW * pyramid.split_area(parent)
    fits = (parent.level >= 0) & small & (same[first] == same[second])
    if anywhere:
        fits &= ((atoms.x[first] - atoms.x[second]).abs() < 2) & ((atoms.y[first] - atoms.y[second]).abs() < 2)
    first, second, parent = first[fits], second[fits], parent.at(fits)

    # The whole has the point of the half that the tree says (see `Pyramid.points`).
    wanted = _kept_side(pyramid, parent)
    first_is = nodes.side()[first] == wanted
    keep, drop = (
        torch.where(first_is, first, second),
        torch.where(first_is, second, first),
    )
    kept, dropped = rows[keep], rows[drop]
    code = table.columns.code[kept]
    inner = code > 1
    table.columns.code[kept[inner]] = code[inner] >> 1
    outer = kept[~inner]  # the half was a cell of its own: the whole is a new, larger cell
    if len(outer):
        table.columns.cell[outer] = table.add_cells(parent.at(~inner))
        table.plain = False
    ordered = torch.argsort(kept)
    return kept[ordered], torch.sort(dropped).values


def _kept_side(pyramid: Pyramid, parent: Nodes) -> Tensor:
    """Which half of each node holds the node's point."""
    x, y = pyramid.points(parent)
    left, top, width, height = pyramid.rectangle(parent)
    return torch.where(parent.level % 2 == 0, x >= left + 0.5 * width, y >= top + 0.5 * height).to(torch.int64)


def _area(stretch: Tensor, nodes: Nodes, pyramid: Pyramid) -> Tensor:
    """The area that nodes of a stretch cover now, noise pixels. float32."""
    determinant = stretch[:, 0] * stretch[:, 3] - stretch[:, 1] * stretch[:, 2]
    return torch.abs(determinant) * pyramid.measure(nodes.level)
