"""Which places atoms already cover: where a surface comes back with its noise, nothing is born."""

from __future__ import annotations

import torch
from torch import Tensor

from .follow import LARGE, SEEN
from .passage import Passage, pixel_of
from .pyramid import Pyramid, leaf_nodes, tree_order
from .rigid import same_depth
from .sampling import sample
from .table import Atoms, AtomTable, HiddenAtoms

REACH = 2  # leaves around an atom's own that its area may reach into
SLACK = 0.02  # of an area's sides: so that no crack is left between neighbours


def without_covered(
    passage: Passage,
    table: AtomTable,
    pyramid: Pyramid,
    masks: Tensor,
    frame: int,
    status: Tensor,
    new: list[Atoms],
    hidden: HiddenAtoms,
) -> Tensor:
    """Takes from the leaves that are to be born those that lie in the area of an atom that is known already.

    Where a surface was seen in the last frame there is nothing to take. Where it comes back from out of sight, its
    atoms tile it as they did before.

    Args:
        passage: the way that led to the frame.
        masks: (height * width,) int64, see `uncovered`.
        status: (n,) int8, of the table's atoms: only those that are seen count.
        new: atoms that are seen and will be in the table; their cells are.
        hidden: atoms that are not seen yet. The area of one of them may reach into sight before its point does.
    """
    near = pixels_near(pyramid, masks)
    covered = torch.zeros(len(masks) * pyramid.atoms**2, dtype=torch.bool, device=masks.device)
    stayed = ((status == SEEN) | (status == LARGE)).nonzero()[:, 0]
    for atoms in (table.atoms.at(stayed), *new):
        some = atoms.at(_on(near, pyramid, atoms.x, atoms.y))
        _mark(
            covered, masks, passage, table, pyramid, some, passage.end[pixel_of(passage, some.x, some.y)], None, frame
        )
    hidden = hidden.at(_on(near, pyramid, hidden.x, hidden.y))
    hidden = hidden.at((~hidden.behind).nonzero()[:, 0])
    atoms = hidden.seen(torch.arange(len(hidden.x), device=masks.device))
    _mark(covered, masks, passage, table, pyramid, atoms, hidden.surface, hidden, frame)

    leaves = covered.view(len(masks), -1)
    rows = leaves.any(dim=1).nonzero()[:, 0]
    bits = torch.ones(leaves.shape[1], dtype=torch.int64, device=masks.device)
    bits = bits << torch.arange(leaves.shape[1], device=masks.device)
    result = masks.clone()
    result[rows] &= ~torch.where(leaves[rows], bits, 0).sum(dim=1)
    return result


def pixels_near(pyramid: Pyramid, masks: Tensor) -> Tensor:
    """(height + 2, width + 2) bool: pixels of the frame and its rim that have leaves to be born in or beside them."""
    height, width = pyramid.height, pyramid.width
    near = torch.zeros((height + 4, width + 4), dtype=torch.bool, device=masks.device)
    some = (masks != 0).view(height, width)
    for dy in range(1, 4):
        for dx in range(1, 4):
            near[dy : dy + height, dx : dx + width] |= some
    return near[1:-1, 1:-1]


def _on(near: Tensor, pyramid: Pyramid, x: Tensor, y: Tensor) -> Tensor:
    """The atoms that lie on pixels of :func:`pixels_near`."""
    rim = (x >= -1) & (x < pyramid.width + 1) & (y >= -1) & (y < pyramid.height + 1)
    index = rim.nonzero()[:, 0]
    column, row = torch.floor(x[index]).to(torch.int64) + 1, torch.floor(y[index]).to(torch.int64) + 1
    return index[near[row, column]]


def _mark(
    covered: Tensor,
    masks: Tensor,
    passage: Passage,
    table: AtomTable,
    pyramid: Pyramid,
    atoms: Atoms,
    surface: Tensor,
    hidden: HiddenAtoms | None,
    frame: int,
) -> None:
    """Marks the leaves that are to be born whose points lie in an atom's area, on its surface (and at its depth)."""
    k, height, width = pyramid.atoms, pyramid.height, pyramid.width
    s = atoms.stretch.to(torch.float64)
    determinant = s[:, 0] * s[:, 3] - s[:, 1] * s[:, 2]
    nodes = table.nodes(atoms.cell, atoms.code)
    u, v = pyramid.points(nodes)
    left, top, wide, high = pyramid.rectangle(nodes)
    order = leaf_order(pyramid, covered.device)
    column, row = torch.floor(atoms.x * k).to(torch.int64), torch.floor(atoms.y * k).to(torch.int64)
    for dy in range(-REACH, REACH + 1):
        for dx in range(-REACH, REACH + 1):
            i, j = column + dx, row + dy
            on = (determinant != 0) & (i >= 0) & (i < width * k) & (j >= 0) & (j < height * k)
            near = on.nonzero()[:, 0]
            i, j = i[near], j[near]
            pixel, leaf = (j // k) * width + i // k, order[j % k, i % k]
            asked = (((masks[pixel] >> leaf) & 1 == 1) & ~covered[pixel * k * k + leaf]).nonzero()[:, 0]
            near, pixel, leaf = near[asked], pixel[asked], leaf[asked]
            x, y = (p.to(torch.float32) for p in pyramid.jitter(leaf_nodes(pyramid, pixel, leaf, frame)))
            off_x, off_y = x.double() - atoms.x[near], y.double() - atoms.y[near]
            m, det = s[near], determinant[near]
            # Back to the frame of birth: is the point in the node's rectangle there?
            off_u = (m[:, 3] * off_x - m[:, 1] * off_y) / det
            off_v = (m[:, 0] * off_y - m[:, 2] * off_x) / det
            at_u, at_v = (u[near] + off_u - left[near]) / wide[near], (v[near] + off_v - top[near]) / high[near]
            holds = (at_u >= -SLACK) & (at_u <= 1 + SLACK) & (at_v >= -SLACK) & (at_v <= 1 + SLACK)
            holds &= passage.end[pixel_of(passage, x, y)] == surface[near]
            if hidden is not None:
                d = hidden.d[near].double() + hidden.stretch[near, 4] * off_u + hidden.stretch[near, 5] * off_v
                xm, ym = x * passage.scale_x - 0.5, y * passage.scale_y - 0.5
                depth = sample(passage.depth_end[..., None], passage.end, surface[near], xm, ym)
                holds &= same_depth(d, depth.value[:, 0].double(), depth.spread[:, 0].double())
            covered[(pixel * k * k + leaf)[holds]] = True


def leaf_order(pyramid: Pyramid, device: torch.device) -> Tensor:
    """(k, k) int64: the place in the tree's order of the leaf in a row and column of a pixel."""
    return tree_order(pyramid.atoms, pyramid.atoms, device).to(torch.int64)
