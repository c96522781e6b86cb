"""Reading a picture between its pixels, from pixels of one surface only.

Near a silhouette a plain bilinear mix of two surfaces' motions belongs to neither, and tears the noise. So of the
four pixels around a point only those of its own surface with known values count, and the others are filled in from
them: the motion of one surface is continued, linearly where three pixels are left.
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
    spread: Tensor  # (n, c): largest less smallest of the pixels that counted


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

    values, known = [], []
    for row, column in ((j, i), (j, right), (bottom, i), (bottom, right)):
        value = field[row, column]
        counts = torch.isfinite(value).all(dim=1) & (surfaces[row, column] == surface)
        values.append(value)
        known.append(counts[:, None])
    a, b, c, d = values  # a b
    ka, kb, kc, kd = known  # c d
    least = torch.stack([torch.where(k, v, torch.inf) for k, v in zip(known, values, strict=True)]).amin(dim=0)
    most = torch.stack([torch.where(k, v, -torch.inf) for k, v in zip(known, values, strict=True)]).amax(dim=0)
    a, b, c, d = (
        torch.where(ka, a, _fill(b, kb, c, kc, d, kd)),
        torch.where(kb, b, _fill(a, ka, d, kd, c, kc)),
        torch.where(kc, c, _fill(a, ka, d, kd, b, kb)),
        torch.where(kd, d, _fill(b, kb, c, kc, a, ka)),
    )
    upper, lower = a + tx * (b - a), c + tx * (d - c)
    return Sample(
        value=upper + ty * (lower - upper),
        along_x=(b - a) + ty * ((d - c) - (b - a)),
        along_y=lower - upper,
        known=(ka | kb | kc | kd)[:, 0],
        spread=most - least,
    )


def _fill(
    side: Tensor,
    k_side: Tensor,
    other: Tensor,
    k_other: Tensor,
    across: Tensor,
    k_across: Tensor,
) -> Tensor:
    """A corner that does not count, from its two neighbours and the corner across: the plane through all three if
    they count, else what there is."""
    both = torch.where(k_across, (side + other) - across, 0.5 * (side + other))
    one = torch.where(k_side, side, torch.where(k_other, other, across))
    return torch.where(k_side & k_other, both, one)
