"""The records that the kernels take: the tree of white noise, and a motion as a forward and a backward pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from .engine import Engine
from .kernels.random import mix
from .kernels.types import Pass, Tree, f32, u64
from .kernels.visibility import advect_pixels, mark_interior
from .motion import Motion

MOST_HALVINGS = 16
"""Limits the levels of the tree to 62, of which 30 are below a pixel (`transport.MAX_DEPTH`)."""
INTERIOR_RATIO = 4
"""The interior mask is computed up to this many motion pixels per noise pixel. Beyond, it costs more than it saves."""


def tree_over(height: int, width: int, side: int, seed: int, device: torch.device) -> Tree:
    """The tree over a grid of height x width pixels, each of side x side leaves."""
    shift = side.bit_length() - 1
    halvings, rows, columns = 0, height, width
    while rows % 2 == 0 and columns % 2 == 0 and halvings < MOST_HALVINGS:
        rows, columns, halvings = rows // 2, columns // 2, halvings + 1
    key0, key1 = seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF  # Philox's key
    measures = np.exp2(np.float32(2 * halvings) - np.arange(64, dtype=np.float32))
    return Tree(
        seed=u64(key0 ^ int(getattr(mix, "py_func", mix)(u64(key1)))),
        key0=u64(key0),
        key1=u64(key1),
        halvings=halvings,
        shift=shift,
        leaf=2 * (halvings + shift),
        least=np.float32(4.0 / 3.0 / side**2),  # type: ignore[arg-type]
        measures=torch.from_numpy(measures).to(device),
        width=width,
        height=height,
    )


def tree_order(height: int, width: int, device: torch.device) -> Tensor:
    """The row-major indices of a grid's pixels in the tree's order (Morton order): neighbors share most ancestors."""
    x, y = torch.arange(width, device=device), torch.arange(height, device=device)
    of_x, of_y = torch.zeros_like(x), torch.zeros_like(y)
    for bit in range(max(width, height).bit_length()):
        of_x |= (x >> bit & 1) << (2 * bit + 1)
        of_y |= (y >> bit & 1) << (2 * bit)
    return torch.argsort((of_x | of_y[:, None]).flatten())


def both_passes(motion: Motion, tree: Tree, engine: Engine) -> tuple[Pass, Pass]:
    """The forward and the backward pass of a motion, for noise of the tree's size."""
    device, (h, w), width, height = engine.device, motion.size, tree.width, tree.height
    one_surface, no_depth = torch.zeros((h, w), dtype=torch.int32), torch.zeros((0, 0))
    flows = motion.forward, motion.backward
    surfaces = [one_surface if plane is None else plane for plane in (motion.surface_old, motion.surface_new)]
    depths = [(no_depth if plane is None else plane)[..., None] for plane in (motion.depth_old, motion.depth_new)]
    transforms = sorted((motion.transforms or {}).items())
    matrices = np.array([matrix for _, matrix in transforms]).reshape(-1, 4, 4)
    # An object that is scaled to zero has a singular matrix, which does not determine the motion.
    regular = np.linalg.matrix_rank(matrices) == 4
    moved = torch.from_numpy(np.array([surface for surface, _ in transforms], np.int32)[regular]).to(device)
    to_motion = np.diag([w / width, h / height, 1.0, 1.0])  # from noise pixels to motion pixels
    to_motion[:2, 3] = -0.5
    matrices = np.linalg.inv(to_motion) @ matrices[regular] @ to_motion
    scale = [f32(value) for value in (w / width, h / height, width / w, height / h)]
    not_computed = torch.empty((0, 0), dtype=torch.int32, device=device)

    def one_way(source: int, target: int, stack: np.ndarray[Any, Any]) -> Pass:
        planes = (pair[which].to(device) for pair in (flows, surfaces, depths) for which in (source, target))
        to_target = torch.from_numpy(np.ascontiguousarray(stack)).to(device)
        p = Pass._make([*planes, moved, to_target, not_computed, not_computed, *scale])
        flow, transform_of = p.flow, p.transform_of
        if len(moved):
            flow, transform_of = torch.empty_like(p.flow), torch.empty_like(p.source)
        returns = torch.empty((h, w), dtype=torch.bool, device=device)
        interior = torch.zeros((h, w), dtype=torch.int32, device=device)
        engine.run(advect_pixels, h, p, flow, transform_of, returns, cost=2 * w)
        if min(h, w) > 1 and h * w <= INTERIOR_RATIO * height * width:
            engine.run(mark_interior, h - 1, p, returns, interior, cost=w // 4)
        return p._replace(flow=flow, transform_of=transform_of, interior=interior)

    return one_way(0, 1, matrices), one_way(1, 0, np.linalg.inv(matrices))
