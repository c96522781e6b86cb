"""The atoms that are remembered out of sight, in columns that are changed in place and never grow past a limit."""

from __future__ import annotations

import torch
from torch import Tensor

from .table import HIDDEN_BYTES, HiddenAtoms, grown, no_hidden


class HiddenTable:
    """Hidden atoms, at most ``most`` of them: the oldest make room for new ones.

    An atom stays in its row. One that is dropped leaves a gap there, whose depth is NaN; new atoms fill the gaps first.
    """

    NEVER = 2**31 - 1

    def __init__(self, device: torch.device, most: int) -> None:
        self.most = most
        self.count = 0
        self._rows = 0  # atoms and gaps
        self._columns = no_hidden(device)
        self._entered = torch.empty(0, dtype=torch.int32, device=device)  # with which addition; NEVER: a gap
        self._additions = 0

    @property
    def atoms(self) -> HiddenAtoms:
        """All rows, gaps too: views, to read and write. They end with the next change of the table."""
        return self._columns.at(slice(0, self._rows))

    @property
    def bytes(self) -> int:
        return len(self._columns.x) * HIDDEN_BYTES

    def keep(self, mask: Tensor) -> None:
        """Drops the atoms that ``mask``, a bool for each row, does not name. It names no gap."""
        self._leave_gaps(~mask)
        self.count = int(mask.sum())
        if not self.count:
            self._rows = 0

    def add(self, new: HiddenAtoms) -> None:
        """Enters atoms, as the newest."""
        new = new.at(slice(max(0, len(new.x) - self.most), None))
        count = len(new.x)
        if not count:
            return
        self._drop_oldest(self.count + count - self.most)
        gaps = (self._entered[: self._rows] == self.NEVER).nonzero()[:count, 0]
        end = self._rows + count - len(gaps)
        if end > len(self._columns.x):
            self._reserve(min(self.most, end + end // 4))
        rows = torch.cat([gaps, torch.arange(self._rows, end, device=gaps.device)])
        for column, values in zip(self._columns, new, strict=True):
            column.index_copy_(0, rows, values)
        self._entered[rows] = self._additions
        self._rows, self.count, self._additions = end, self.count + count, self._additions + 1

    def _drop_oldest(self, surplus: int) -> None:
        if surplus <= 0:
            return
        entered = self._entered[: self._rows]
        first = int(entered.min())
        counts = torch.bincount((entered - first).clamp(max=self._additions - first))  # the last one: gaps
        reached = torch.cumsum(counts, 0)
        last = int((reached < surplus).sum())  # after ``first``: the newest addition that has to give some
        before = int(reached[last - 1]) if last else 0
        gone = entered < first + last
        gone[(entered == first + last).nonzero()[: surplus - before, 0]] = True
        self._leave_gaps(gone)
        self.count -= surplus

    def _leave_gaps(self, mask: Tensor) -> None:
        self._columns.d[: self._rows].masked_fill_(mask, torch.nan)
        self._entered[: self._rows].masked_fill_(mask, self.NEVER)

    def _reserve(self, capacity: int) -> None:
        columns = list(self._columns)
        del self._columns  # so that no more than one column is held twice
        for index in range(len(columns)):
            columns[index] = grown(columns[index], capacity)
        self._columns = HiddenAtoms(*columns)
        self._entered = grown(self._entered, capacity)
