"""Merges halves where particles crowd, so that a picture that shrinks does not grow in memory."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from . import transport
from .engine import Engine
from .kernels.types import DEAD, VISIBLE, Step
from .table import ParticleTable, indices

ROUNDS = 8
HASH_ROUNDS = 16


class Merging:
    """Merges the halves of a table's particles, once there are many.

    Args:
        least: visible particles above which halves are merged.
        most: visible particles above which some are dropped where they crowd, once no more halves can be merged.
    """

    def __init__(self, engine: Engine, table: ParticleTable, least: int, most: int) -> None:
        self._engine, self._table = engine, table
        self._at, self._least, self._most = least, least, most

    def run(self, step: Callable[[], Step]) -> None:
        """``step`` gives the records of the table as it is."""
        table = self._table
        if table.count <= self._at:
            return
        visible = table.number_of(VISIBLE)
        if visible <= self._at:
            return
        for _ in range(ROUNDS):
            merged = self._merge_once(step)
            visible -= merged
            if merged < visible // 8:
                break
        if visible > self._most:
            self._drop_surplus(step())
            visible = self._most
        table.close_up()
        self._at = min(self._most, max(self._least, visible * 17 // 16))

    def _merge_once(self, step: Callable[[], Step]) -> int:
        """Merges all halves that can be merged now; returns the number of pairs."""
        engine, table, device = self._engine, self._table, self._engine.device
        small = torch.empty(table.count, dtype=torch.bool, device=device)
        engine.run(transport.find_small, table.count, table.particles, step().tree, small)
        rows, merged = indices(small), 0
        for salt in range(HASH_ROUNDS):
            if not len(rows):
                break
            slots, now = 2 * len(rows), step()
            slot, kept, dropped = (torch.empty_like(rows) for _ in range(3))
            engine.run(transport.hash_parents, len(rows), now.particles, now.tree, rows, salt, slots, slot, cost=2)
            first = torch.full((slots,), table.count, dtype=torch.int64, device=device)
            first.scatter_reduce_(0, slot, rows, "amin")
            engine.run(transport.pair_halves, len(rows), now, rows, slot, first, kept, dropped, cost=2)
            paired = indices(kept >= 0)
            self._merge_pairs(kept[paired], dropped[paired])
            merged += len(paired)
            small[kept[paired]] = False
            # In a slot with others than a pair, two halves may not have met.
            crowded = torch.zeros(slots, dtype=torch.bool, device=device)
            crowded[slot[(first[slot] != rows) & (kept < 0)]] = True
            rows = rows[crowded[slot] & small[rows] & (table.particles.state[rows] == VISIBLE)]
        return merged

    def _merge_pairs(self, kept: Tensor, dropped: Tensor) -> None:
        """Lets wholes take the rows of the halves that contain their points."""
        table = self._table
        for values in table.values.values():
            values[kept] = values[kept] + values[dropped]  # exact
        particles = table.particles
        path = particles.path[kept]
        particles.path[kept] = path >> 1
        particles.state[dropped] = DEAD
        outer = kept[path == 1]  # the half was a root: the whole is a new, larger one
        if len(outer):
            first = table.add_roots(len(outer))
            self._engine.run(transport.merge_roots, len(outer), table.particles, outer, first)
            table.uniform = False

    def _drop_surplus(self, step: Step) -> None:
        """The last resort: drops particles of the most crowded pixels. What is left is as white as before."""
        tree, most = step.tree, self._most
        rows = self._table.rows_in(VISIBLE)
        column = step.particles.x[rows].to(torch.int64).clamp(0, tree.width - 1)
        row = step.particles.y[rows].to(torch.int64).clamp(0, tree.height - 1)
        pixel = row * tree.width + column
        counts = torch.bincount(pixel, minlength=tree.height * tree.width)
        low, high = 1, int(counts.max())
        while low < high:  # the largest limit per pixel with which all fit in
            limit = (low + high + 1) // 2
            low, high = (limit, high) if int(counts.clamp(max=limit).sum()) <= most else (low, limit - 1)
        order = torch.argsort(pixel, stable=True)
        rank = torch.empty_like(order)
        rank[order] = torch.arange(len(order), device=order.device) - (torch.cumsum(counts, 0) - counts)[pixel[order]]
        step.particles.state[rows[rank >= low]] = DEAD
