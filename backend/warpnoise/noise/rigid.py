"""Rigid surfaces: a matrix moves their points exactly, also where they are hidden or out of the frame.

T @ (x, y, d, 1) ~ (x', y', d', 1) in motion pixels and projective depth. All of it in float64, each product and sum
rounded by itself, so that every engine gets the same bits.
"""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import NamedTuple

import torch
from torch import Tensor

from .passage import Passage, pixel_of
from .sampling import Sample, sample

AGREES = 0.05  # motion pixels: a matrix is a surface's when at least half of its vectors are this near to it,
STRAYS = 0.25  # and a pixel whose vector is further off moves by that
DEPTH_RELATIVE = 1e-4  # what a depth may differ from the one seen: this part of it,
DEPTH_SPREAD = 0.5  # and this part of what it varies by between the pixels around,
DEPTH_MOST = 0.05  # but no more than this part,
DEPTH_LEAST = 1e-9  # and at least this
FARTHEST = 1e7  # noise pixels from the frame: beyond, a hidden atom is given up


class Projected(NamedTuple):
    """Where n points go, and how their neighbourhood is stretched. float64."""

    x: Tensor
    y: Tensor
    d: Tensor
    front: Tensor  # bool: on the camera's side, if the point was
    x_x: Tensor  # dx'/dx along the surface
    x_y: Tensor
    y_x: Tensor
    y_y: Tensor
    d_x: Tensor
    d_y: Tensor


def project(matrix: Tensor, x: Tensor, y: Tensor, d: Tensor, slope_x: Tensor, slope_y: Tensor) -> Projected:
    """Moves points of a surface.

    Args:
        matrix: (n, 4, 4) float64.
        x, y, d: (n,) float64, motion pixels and projective depth.
        slope_x, slope_y: (n,) float64: how d changes along the surface, per pixel.
    """
    m = [[matrix[:, row, column] for column in range(4)] for row in range(4)]
    to_x, to_y, to_d, to_w = (((r[0] * x + r[1] * y) + r[2] * d) + r[3] for r in m)
    inverse = 1.0 / to_w
    x1, y1, d1 = to_x * inverse, to_y * inverse, to_d * inverse
    columns = []
    for axis, slope in ((0, slope_x), (1, slope_y)):
        w_ = m[3][axis] + m[3][2] * slope
        columns.append(
            [((m[row][axis] + m[row][2] * slope) - p * w_) * inverse for row, p in ((0, x1), (1, y1), (2, d1))]
        )
    (x_x, y_x, d_x), (x_y, y_y, d_y) = columns
    return Projected(x1, y1, d1, to_w > 0, x_x, x_y, y_x, y_y, d_x, d_y)


def same_depth(d: Tensor, seen: Tensor, spread: Tensor) -> Tensor:
    """Whether depths are those seen, allowing for what they vary by between the pixels around. float64 in."""
    size = torch.abs(d)
    allowed = size * DEPTH_RELATIVE + torch.minimum(spread * DEPTH_SPREAD, size * DEPTH_MOST) + DEPTH_LEAST
    return torch.abs(d - seen) <= allowed  # false for NaN


def route(engine: ModuleType, ahead: Passage, behind: Passage, known: dict[int, bool]) -> tuple[Passage, Passage]:
    """Decides which pixels move by their surface's matrix.

    Matrices are given for objects that may yet deform: only vectors tell. A matrix counts if at least half of its
    surface's pixels in both frames move as it says (the median agrees); of a surface that is not seen the last
    verdict counts, which ``known`` keeps from step to step.
    """
    count = len(ahead.surfaces)
    index, off = zip(*(engine.deviations(passage) for passage in (ahead, behind)), strict=True)
    agree = torch.zeros(count, dtype=torch.int64, device=ahead.there.device)
    seen = torch.zeros_like(agree)
    for which, deviation in zip(index, off, strict=True):
        counts = (which >= 0) & torch.isfinite(deviation)
        seen += torch.bincount(which[counts], minlength=count)
        agree += torch.bincount(which[counts & (deviation <= AGREES)], minlength=count)
    verdicts = []
    for surface, good, all_ in zip(ahead.surfaces.tolist(), agree.tolist(), seen.tolist(), strict=True):
        if all_:
            known[surface] = 2 * good >= all_
        verdicts.append(known.get(surface, True))
    trusted = torch.tensor(verdicts, dtype=torch.bool, device=ahead.there.device)
    routes = [
        torch.where(
            (which >= 0) & trusted[which.clamp(min=0)] & ~(deviation > STRAYS),
            which,
            -1,
        ).to(torch.int32)
        for which, deviation in zip(index, off, strict=True)
    ]
    return replace(ahead, trusted=trusted, route=routes[0]), replace(behind, trusted=trusted, route=routes[1])


def deviations(passage: Passage) -> tuple[Tensor, Tensor]:
    """For each start pixel its matrix or -1, (h, w) int64, and how far its vector is from where that leads, (h, w)
    float64; NaN: not known."""
    h, w = passage.start.shape
    device = passage.start.device
    place = torch.searchsorted(passage.surfaces, passage.start).clamp(max=len(passage.surfaces) - 1)
    which = torch.where(passage.surfaces[place] == passage.start, place, -1)
    y, x = torch.meshgrid(
        torch.arange(h, dtype=torch.float64, device=device),
        torch.arange(w, dtype=torch.float64, device=device),
        indexing="ij",
    )
    m = passage.matrices[place]
    d = passage.depth_start.to(torch.float64)
    to_x, to_y, to_w = (((m[..., r, 0] * x + m[..., r, 1] * y) + m[..., r, 2] * d) + m[..., r, 3] for r in (0, 1, 3))
    inverse = 1.0 / to_w
    off_x = torch.abs(to_x * inverse - x - passage.there[..., 0])
    off_y = torch.abs(to_y * inverse - y - passage.there[..., 1])
    off = torch.maximum(off_x, off_y)
    known = torch.isfinite(passage.there).all(dim=-1) & (to_w > 0)
    usable = torch.isfinite(d) & (which >= 0)
    return torch.where(usable, which, -1), torch.where(known, off, torch.nan)


def lift(passage: Passage, route: Tensor, surface: Tensor, x: Tensor, y: Tensor) -> tuple[Projected, Sample]:
    """Takes seen points to their depth on the surface and moves them by their matrix."""
    xm, ym = x * passage.scale_x - 0.5, y * passage.scale_y - 0.5
    depth = sample(passage.depth_start[..., None], passage.start, surface, xm, ym)
    arguments = (xm, ym, depth.value[:, 0], depth.along_x[:, 0], depth.along_y[:, 0])
    return project(
        passage.matrices[route.to(torch.int64)],
        *(a.to(torch.float64) for a in arguments),
    ), depth


def shows(passage: Passage, surface: Tensor, x: Tensor, y: Tensor, d: Tensor) -> Tensor:
    """Whether the end frame shows these points: their surface, at their depth (float64)."""
    there = passage.end[pixel_of(passage, x, y)] == surface
    xm, ym = x * passage.scale_x - 0.5, y * passage.scale_y - 0.5
    depth = sample(passage.depth_end[..., None], passage.end, surface, xm, ym)
    value, spread = (
        depth.value[:, 0].to(torch.float64),
        depth.spread[:, 0].to(torch.float64),
    )
    return there & depth.known & same_depth(d, value, spread)
