"""Atoms that are not seen but known where: behind something else, or out of the frame.

Only surfaces with a matrix have them. They move by it, and are seen again where the frame shows their surface at their
depth. Homogeneous points keep a sign, so that what passes behind the camera comes back on the right side.
"""

from __future__ import annotations

from types import ModuleType

import torch
from torch import Tensor

from .hidden_table import HiddenTable
from .passage import Passage, pixel_of
from .rigid import FARTHEST, lift
from .sampling import sample
from .table import Atoms, HiddenAtoms, no_hidden


def hide(passage: Passage, atoms: Atoms) -> HiddenAtoms:
    """Atoms that were seen in the start frame, where they are in the end frame unseen.

    Args:
        passage: the way on which they are lost to sight.
        atoms: in the start frame, on pixels that move by a matrix.
    """
    p = passage
    if not len(atoms.x):
        return no_hidden(atoms.x.device)
    row, column = pixel_of(p, atoms.x, atoms.y)
    surface = p.start[row, column]
    moved, _ = lift(p, p.route[row, column], surface, atoms.x, atoms.y)
    s = atoms.stretch.to(torch.float64)
    # From birth to now and on: columns for u and v, in motion pixels.
    u_x, v_x, u_y, v_y = (
        s[:, 0] * p.scale_x,
        s[:, 1] * p.scale_x,
        s[:, 2] * p.scale_y,
        s[:, 3] * p.scale_y,
    )
    stretch = torch.stack(
        [
            (moved.x_x * u_x + moved.x_y * u_y) * p.unscale_x,
            (moved.x_x * v_x + moved.x_y * v_y) * p.unscale_x,
            (moved.y_x * u_x + moved.y_y * u_y) * p.unscale_y,
            (moved.y_x * v_x + moved.y_y * v_y) * p.unscale_y,
            moved.d_x * u_x + moved.d_y * u_y,
            moved.d_x * v_x + moved.d_y * v_y,
        ],
        dim=1,
    )
    hidden = HiddenAtoms(
        ((moved.x + 0.5) * p.unscale_x).to(torch.float32),
        ((moved.y + 0.5) * p.unscale_y).to(torch.float32),
        moved.d.to(torch.float32),
        stretch.to(torch.float32),
        ~moved.front,
        surface,
        atoms.cell,
        atoms.code,
    )
    sane = (hidden.x.abs() < FARTHEST) & (hidden.y.abs() < FARTHEST) & torch.isfinite(hidden.stretch).all(dim=1)
    return hidden.at(sane & torch.isfinite(hidden.d))


def beside(passage: Passage, atoms: Atoms, x: Tensor, y: Tensor) -> HiddenAtoms:
    """Atoms of the end frame that lie out of sight beside seen points (x, y) of their surface, on its continuation.

    Those whose surface has no trusted matrix are left out.
    """
    p = passage
    surface = p.end[pixel_of(p, x, y)]
    place = torch.searchsorted(p.surfaces, surface).clamp(max=len(p.surfaces) - 1)
    depth = sample(p.depth_end[..., None], p.end, surface, x * p.scale_x - 0.5, y * p.scale_y - 0.5)
    slope_x, slope_y = depth.along_x[:, 0] * p.scale_x, depth.along_y[:, 0] * p.scale_y
    s = atoms.stretch
    down = torch.stack([slope_x * s[:, c] + slope_y * s[:, 2 + c] for c in (0, 1)], dim=1)
    d = depth.value[:, 0] + (slope_x * (atoms.x - x) + slope_y * (atoms.y - y))
    known = (p.surfaces[place] == surface) & p.trusted[place] & depth.known & torch.isfinite(d)
    hidden = HiddenAtoms(
        atoms.x,
        atoms.y,
        d,
        torch.cat([s, down], dim=1),
        torch.zeros_like(known),
        surface,
        atoms.cell,
        atoms.code,
    )
    return hidden.at(known)


def advance(engine: ModuleType, passage: Passage, table: HiddenTable) -> Atoms:
    """Moves hidden atoms to the end frame, and takes those out that are seen again and returns them.

    Atoms of surfaces whose matrix is not known or not trusted for this step are given up.
    """
    hidden = table.atoms
    if not table.count:
        return hidden.seen(torch.empty(0, dtype=torch.int64, device=hidden.x.device))
    status = engine.follow_hidden(passage, hidden)
    rows = (status == engine.SEEN).nonzero()[:, 0]
    # Side by side as they are in the tree of white noise: so their values share most of their way.
    back = hidden.seen(rows[torch.argsort((hidden.cell[rows].to(torch.int64) << 32) + hidden.code[rows])])
    table.keep(status == engine.HIDDEN)
    return back
