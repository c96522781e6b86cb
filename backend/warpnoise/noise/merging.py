"""Merges particles where they crowd, so that the table does not grow when the picture shrinks."""

from __future__ import annotations

import torch

from .engine import Engine
from .kernels.merging import find_small, hash_parents, merge
from .kernels.types import DEAD, VISIBLE, Step
from .table import ParticleTable, indices

ROUNDS = 8


class Merging:
    """Merges siblings in a table of particles when there are too many.

    Args:
        least: the number of visible particles above which siblings are merged.
        most: the number above which particles are dropped where they crowd, if merging does not suffice.
    """

    def __init__(self, engine: Engine, table: ParticleTable, least: int, most: int) -> None:
        self._engine, self._table = engine, table
        self._at, self._least, self._most = least, least, most

    def run(self, step: Step) -> None:
        """Merges if there are too many particles."""
        table = self._table
        visible = table.number_of(VISIBLE) if table.count > self._at else 0
        if visible <= self._at:
            return
        for _ in range(ROUNDS):
            merged = self._merge_once(step)
            visible -= merged
            if merged < visible // 8:
                break
        if visible > self._most:
            self._drop_surplus(step)
            visible = table.number_of(VISIBLE)
        self._at = min(self._most, max(self._least, visible * 17 // 16))

    def _merge_once(self, step: Step) -> int:
        """Merges all pairs of siblings that can be merged now, and returns their number."""
        engine, table = self._engine, self._table
        small = torch.empty(table.count, dtype=torch.bool, device=engine.device)
        engine.run(find_small, table.count, step.particles, step.tree, small)
        rows = indices(small)
        parents = torch.empty_like(rows)
        engine.run(hash_parents, len(rows), step.particles, step.tree, rows, parents, cost=2)
        order = torch.argsort(parents, stable=True)
        rows, parents = rows[order], parents[order]
        siblings = indices(parents[1:] == parents[:-1])
        first, second = rows[siblings], rows[siblings + 1]
        kept, dropped = torch.empty_like(first), torch.empty_like(first)
        engine.run(merge, len(first), step, first, second, kept, dropped, cost=2)
        paired = indices(kept >= 0)
        kept, dropped = kept[paired], dropped[paired]
        for values in table.values.values():
            values[kept] += values[dropped]  # exact
        return len(kept)

    def _drop_surplus(self, step: Step) -> None:
        """Drops particles beyond a pixel's equal share of ``most``. The noise stays white, but loses fidelity."""
        tree, rows = step.tree, self._table.rows_in(VISIBLE)
        column = step.particles.x[rows].to(torch.int64).clamp(0, tree.width - 1)
        row = step.particles.y[rows].to(torch.int64).clamp(0, tree.height - 1)
        pixel, order = torch.sort(row * tree.width + column, stable=True)
        counts = torch.bincount(pixel, minlength=tree.height * tree.width)
        rank = torch.arange(len(order), device=order.device) - (torch.cumsum(counts, 0) - counts)[pixel]
        step.particles.state[rows[order[rank >= self._most // len(counts)]]] = DEAD
