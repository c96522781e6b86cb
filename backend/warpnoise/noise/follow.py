"""Following points from one frame to the other: where they go, and whether they are seen there.

All in the readable engine, vectorized torch on any device. Roundings happen in a fixed order wherever a decision hangs
on them (in which pixel does an atom land, is it seen), so that the compiled engine agrees on every atom.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from .passage import Passage, inside, pixel_of, wants_calm
from .rigid import FARTHEST, Projected, lift, project, same_depth, shows
from .sampling import sample
from .table import HiddenAtoms

GONE, SEEN, HIDDEN = 0, 1, 2
LARGE = 3  # seen, and to be split
RETURN_TOLERANCE = 0.1  # motion pixels: how near to its start the way there and back must return
CALM_TOLERANCE = 0.05


class Followed(NamedTuple):
    """Where n points of the start frame are in the end frame."""

    status: Tensor  # (n,) int8: GONE; SEEN; HIDDEN, but known where
    x: Tensor  # (n,) float32, noise pixels from the frame's corner; where SEEN
    y: Tensor
    stretch: Tensor  # (n, 4) float32: dx'/dx, dx'/dy, dy'/dx, dy'/dy; where SEEN


def follow(passage: Passage, x: Tensor, y: Tensor) -> Followed:
    """Follows points that are seen in the start frame: (n,) float32, noise pixels from the frame's corner."""
    row, column = pixel_of(passage, x, y)
    if not passage.route.numel():
        return _follow_vectors(passage, x, y)
    rigid = passage.route[row, column] >= 0
    result = Followed(
        torch.zeros_like(x, dtype=torch.int8),
        torch.zeros_like(x),
        torch.zeros_like(x),
        x.new_zeros((len(x), 4)),
    )
    for chosen, way in ((rigid, _follow_matrix), (~rigid, _follow_vectors)):
        index = chosen.nonzero()[:, 0]
        for whole, part in zip(result, way(passage, x[index], y[index]), strict=True):
            whole[index] = part
    return result


def _follow_vectors(passage: Passage, x: Tensor, y: Tensor) -> Followed:
    """Along the vectors; seen if the surface is there and the vector back returns."""
    p = passage
    row, column = pixel_of(p, x, y)
    surface = p.start[row, column]
    s = sample(p.there, p.start, surface, x * p.scale_x - 0.5, y * p.scale_y - 0.5)
    x1, y1 = x + s.value[:, 0] * p.unscale_x, y + s.value[:, 1] * p.unscale_y
    within = s.known & inside(p, x1, y1)
    x1, y1 = torch.where(within, x1, x), torch.where(within, y1, y)
    seen = within & (p.end[pixel_of(p, x1, y1)] == surface)
    r = sample(p.back, p.end, surface, x1 * p.scale_x - 0.5, y1 * p.scale_y - 0.5)
    off_x = ((x1 + r.value[:, 0] * p.unscale_x) - x) * p.scale_x
    off_y = ((y1 + r.value[:, 1] * p.unscale_y) - y) * p.scale_y
    seen &= r.known & (off_x * off_x + off_y * off_y <= RETURN_TOLERANCE * RETURN_TOLERANCE)
    if p.calm.numel():
        seen |= within & p.calm[row, column]
    return Followed(seen.to(torch.int8), x1, y1, _stretch(p, s.along_x, s.along_y))


def _follow_matrix(passage: Passage, x: Tensor, y: Tensor) -> Followed:
    """Along the surface's matrix; seen if the surface is there at this depth."""
    p = passage
    row, column = pixel_of(p, x, y)
    surface = p.start[row, column]
    moved, _ = lift(p, p.route[row, column], surface, x, y)
    x1, y1 = (
        ((moved.x + 0.5) * p.unscale_x).to(torch.float32),
        ((moved.y + 0.5) * p.unscale_y).to(torch.float32),
    )
    known = torch.isfinite(moved.d) & moved.front
    within = known & inside(p, x1, y1)
    x1, y1 = torch.where(within, x1, x), torch.where(within, y1, y)
    seen = within & shows(p, surface, x1, y1, moved.d)
    if p.calm.numel():
        seen |= within & p.calm[row, column]
    status = torch.where(seen, SEEN, HIDDEN).to(torch.int8)
    along_x = torch.stack([moved.x_x - 1.0, moved.y_x], dim=1).to(torch.float32)
    along_y = torch.stack([moved.x_y, moved.y_y - 1.0], dim=1).to(torch.float32)
    return Followed(status, x1, y1, _stretch(p, along_x, along_y))


def _stretch(passage: Passage, along_x: Tensor, along_y: Tensor) -> Tensor:
    """The derivative of the way on the noise's grid, from that of the vectors on the motion's."""
    p = passage
    return torch.stack(
        [
            along_x[:, 0] + 1.0,
            along_y[:, 0] * (p.scale_y * p.unscale_x),
            along_x[:, 1] * (p.scale_x * p.unscale_y),
            along_y[:, 1] + 1.0,
        ],
        dim=1,
    )


def find_calm(passage: Passage) -> Passage:
    """Marks the start pixels around which nothing is hidden or uncovered: they and their eight neighbours show one
    surface and are seen again, well inside the frame. Their points are taken for seen without a further look."""
    if not wants_calm(passage):
        return passage
    p = passage
    h, w = p.start.shape
    y, x = torch.meshgrid(
        torch.arange(h, device=p.start.device),
        torch.arange(w, device=p.start.device),
        indexing="ij",
    )
    good = _returns(p, x.flatten(), y.flatten()).view(h, w)
    kinds = [p.start] + ([p.route] if p.route.numel() else [])
    calm = torch.zeros((h, w), dtype=torch.bool, device=p.start.device)
    middle = (slice(1, h - 1), slice(1, w - 1))
    inner = torch.ones((h - 2, w - 2), dtype=torch.bool, device=p.start.device)
    for dy in range(3):
        for dx in range(3):
            around = (slice(dy, h - 2 + dy), slice(dx, w - 2 + dx))
            inner &= good[around]
            for kind in kinds:
                inner &= kind[around] == kind[middle]
    calm[middle] = inner
    return replace(p, calm=calm)


def _returns(p: Passage, i: Tensor, j: Tensor) -> Tensor:
    """Whether start pixels are seen in the end frame amid four pixels of their surface, at least a pixel inside."""
    h, w = p.start.shape
    surface = p.start[j, i]
    x, y = i.to(torch.float32), j.to(torch.float32)
    vector = p.there[j, i]
    x1, y1 = x + vector[:, 0], y + vector[:, 1]
    rigid = None
    if p.route.numel():
        rigid = p.route[j, i] >= 0
        zero = torch.zeros_like(x, dtype=torch.float64)
        m = p.matrices[p.route[j, i].clamp(min=0).to(torch.int64)]
        moved = project(m, x.double(), y.double(), p.depth_start[j, i].double(), zero, zero)
        x1 = torch.where(rigid, moved.x.to(torch.float32), x1)
        y1 = torch.where(rigid, moved.y.to(torch.float32), y1)
    good = (x1 >= 1) & (x1 <= w - 2) & (y1 >= 1) & (y1 <= h - 2)  # false for NaN
    x1, y1 = torch.where(good, x1, x), torch.where(good, y1, y)
    left, top = (
        torch.floor(x1).clamp(0, w - 2).to(torch.int64),
        torch.floor(y1).clamp(0, h - 2).to(torch.int64),
    )
    for row, column in (
        (top, left),
        (top, left + 1),
        (top + 1, left),
        (top + 1, left + 1),
    ):
        good &= p.end[row, column] == surface
    back = sample(p.back, p.end, surface, x1, y1)
    off_x, off_y = (x1 + back.value[:, 0]) - x, (y1 + back.value[:, 1]) - y
    # A vector that is not known in one of the four makes the mean unknown here, unlike in `sample`.
    for row, column in (
        (top, left),
        (top, left + 1),
        (top + 1, left),
        (top + 1, left + 1),
    ):
        known = torch.isfinite(p.back[row, column]).all(dim=1)
        good &= known if rigid is None else known | rigid
    near = off_x * off_x + off_y * off_y <= CALM_TOLERANCE * CALM_TOLERANCE
    if rigid is None:
        return good & near
    depth = sample(p.depth_end[..., None], p.end, surface, x1, y1)
    level = same_depth(moved.d, depth.value[:, 0].double(), depth.spread[:, 0].double()) & moved.front & depth.known
    return good & torch.where(rigid, level, near)


def follow_hidden(passage: Passage, hidden: HiddenAtoms) -> Tensor:
    """Moves hidden atoms in place; returns their status, (n,) int8."""
    p = passage
    status = torch.zeros(len(hidden.x), dtype=torch.int8, device=hidden.x.device)
    if not len(p.surfaces):
        return status
    place = torch.searchsorted(p.surfaces, hidden.surface).clamp(max=len(p.surfaces) - 1)
    tracked = (p.surfaces[place] == hidden.surface) & p.trusted[place]
    x, y = (
        hidden.x.to(torch.float64) * p.scale_x - 0.5,
        hidden.y.to(torch.float64) * p.scale_y - 0.5,
    )
    zero = torch.zeros_like(x)
    matrix = p.matrices[place]
    d = hidden.d.to(torch.float64)
    moved = project(matrix, x, y, d, zero, zero)
    hidden.stretch.copy_(_stretch_hidden(p, matrix, moved, hidden.stretch, (x, y, d)))
    hidden.x.copy_((moved.x + 0.5) * p.unscale_x)
    hidden.y.copy_((moved.y + 0.5) * p.unscale_y)
    hidden.d.copy_(moved.d)
    hidden.behind.copy_(hidden.behind ^ ~moved.front)
    sane = (hidden.x.abs() < FARTHEST) & (hidden.y.abs() < FARTHEST) & torch.isfinite(hidden.d)
    tracked &= sane & torch.isfinite(hidden.stretch).all(dim=1)
    candidates = (tracked & ~hidden.behind & inside(p, hidden.x, hidden.y)).nonzero()[:, 0]
    seen = shows(
        p,
        hidden.surface[candidates],
        hidden.x[candidates],
        hidden.y[candidates],
        moved.d[candidates],
    )
    status[tracked] = HIDDEN
    status[candidates[seen]] = SEEN
    return status


def _stretch_hidden(
    p: Passage,
    matrix: Tensor,
    moved: Projected,
    stretch: Tensor,
    point: tuple[Tensor, Tensor, Tensor],
) -> Tensor:
    """The stretch of hidden atoms after a matrix moved them: its derivative along (dx, dy, dd)."""
    x, y, d = point
    inverse = 1.0 / (((matrix[:, 3, 0] * x + matrix[:, 3, 1] * y) + matrix[:, 3, 2] * d) + matrix[:, 3, 3])
    columns = []
    for part in (0, 1):
        t = stretch.to(torch.float64)
        t0, t1, t2 = t[:, part] * p.scale_x, t[:, 2 + part] * p.scale_y, t[:, 4 + part]
        to = [(matrix[:, row, 0] * t0 + matrix[:, row, 1] * t1) + matrix[:, row, 2] * t2 for row in range(4)]
        columns.append([(to[row] - place * to[3]) * inverse for row, place in enumerate((moved.x, moved.y, moved.d))])
    (u_x, u_y, u_d), (v_x, v_y, v_d) = columns
    return torch.stack(
        [
            u_x * p.unscale_x,
            v_x * p.unscale_x,
            u_y * p.unscale_y,
            v_y * p.unscale_y,
            u_d,
            v_d,
        ],
        dim=1,
    ).to(torch.float32)
