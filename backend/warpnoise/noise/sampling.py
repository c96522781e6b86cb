"""Reading a picture between its pixels, from pixels of one surface only.

Near a silhouette a plain bilinear mix of two surfaces' motions belongs to neither, and tears the noise. So of the
four pixels around a point only those of its own surface with known values count, and the others are continued from
them and from the next pixels of the surface, linearly where that is possible.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Sample(NamedTuple):
    value: Tensor  # (n, c)
    along_x: Tensor  # (n, c): derivative to x, per pixel
    along_y: Tensor  # (n, c)
    known: Tensor  # (n,) bool: at least one of the four pixels counted
    spread: Tensor  # (n, c): largest less smallest of the four


def sample(field: Tensor, surfaces: Tensor, surface: Tensor, x: Tensor, y: Tensor) -> Sample:
    """Bilinear interpolation inside one surface; beyond the outermost pixel centres it is continued linearly.

    Args:
        field: (h, w, c) float32; not finite: not known.
        surfaces: (h, w) int32, which surface each pixel shows.
        surface: (n,) int32, the surface of each point.
        x, y: (n,) float32, pixels, (0, 0) the centre of the top left pixel; inside the frame.
    """
    h, w, _ = field.shape
    left = torch.clamp(torch.floor(x), 0, max(w - 2, 0))
    top = torch.clamp(torch.floor(y), 0, max(h - 2, 0))
    tx, ty = (x - left)[:, None], (y - top)[:, None]
    i, j = left.to(torch.int64), top.to(torch.int64)
    right, bottom = torch.clamp(i + 1, max=w - 1), torch.clamp(j + 1, max=h - 1)

    def read(row: Tensor, column: Tensor) -> tuple[Tensor, Tensor]:
        within = (row >= 0) & (row < h) & (column >= 0) & (column < w)
        row, column = row.clamp(0, h - 1), column.clamp(0, w - 1)
        value = field[row, column]
        counts = within & torch.isfinite(value).all(dim=1) & (surfaces[row, column] == surface)
        return value, counts[:, None]

    # a b    Beside each corner in a row and in a column, and the next pixel of the surface behind it.
    # c d
    a, b, c, d = read(j, i), read(j, right), read(bottom, i), read(bottom, right)
    far_left, far_right, far_up, far_down = i - 1, i + 2, j - 1, j + 2
    pa = _continue(a, b, read(j, far_right), c, read(far_down, i), d)
    pb = _continue(b, a, read(j, far_left), d, read(far_down, right), c)
    pc = _continue(c, d, read(bottom, far_right), a, read(far_up, i), b)
    pd = _continue(d, c, read(bottom, far_left), b, read(far_up, right), a)
    va, vb, vc, vd = _plane(pa, pb, pc, d), _plane(pb, pa, pd, c), _plane(pc, pd, pa, b), _plane(pd, pc, pb, a)
    upper, lower = va + tx * (vb - va), vc + tx * (vd - vc)
    four = torch.stack([va, vb, vc, vd])
    return Sample(
        value=upper + ty * (lower - upper),
        along_x=(vb - va) + ty * ((vd - vc) - (vb - va)),
        along_y=lower - upper,
        known=(a[1] | b[1] | c[1] | d[1])[:, 0],
        spread=four.amax(dim=0) - four.amin(dim=0),
    )


Pixel = tuple[Tensor, Tensor]  # value (n, c), whether it counts (n, 1)


def _continue(own: Pixel, side: Pixel, behind_side: Pixel, other: Pixel, behind_other: Pixel, across: Pixel) -> Pixel:
    """A corner from its neighbours: the plane through the other three corners, else the line through two pixels of a
    row or column, else what a neighbour has. Not known yet where only the corner across counts."""
    value = torch.where(side[1], side[0], other[0])
    value = torch.where(side[1] & other[1], 0.5 * (side[0] + other[0]), value)
    value = torch.where(other[1] & behind_other[1], (other[0] + other[0]) - behind_other[0], value)
    value = torch.where(side[1] & behind_side[1], (side[0] + side[0]) - behind_side[0], value)
    value = torch.where(side[1] & other[1] & across[1], (side[0] + other[0]) - across[0], value)
    return torch.where(own[1], own[0], value), own[1] | side[1] | other[1]


def _plane(corner: Pixel, side: Pixel, other: Pixel, across: Pixel) -> Tensor:
    """A corner that only the one across decides, from what its neighbours became."""
    return torch.where(corner[1], corner[0], (side[0] + other[0]) - across[0])
