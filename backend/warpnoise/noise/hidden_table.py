"""The atoms that are remembered out of sight, in columns that are changed in place and never grow past a limit."""

from __future__ import annotations

import torch
from torch import Tensor

from .table import HIDDEN_BYTES, HiddenAtoms, grown, no_hidden

BLOCK = 1 << 16  # rows that are moved at a time, so that no column is held twice


class HiddenTable:
    """Hidden atoms, oldest first, at most ``most`` of them: the oldest make room for new ones."""

    def __init__(self, device: torch.device, most: int) -> None:
        self.most = most
        self.count = 0
        self._columns = no_hidden(device)

    @property
    def atoms(self) -> HiddenAtoms:
        """The atoms themselves: views, to read and write. They end with the next change of the table."""
        return self._columns.at(slice(0, self.count))

    @property
    def bytes(self) -> int:
        return len(self._columns.x) * HIDDEN_BYTES

    def keep(self, mask: Tensor) -> None:
        """Drops the atoms that ``mask``, (count,) bool, does not name."""
        rows = mask.nonzero()[:, 0]
        for start in range(0, len(rows), BLOCK):  # no row lies before its new place, so a block never spoils the next
            block = rows[start : start + BLOCK]
            for column in self._columns:
                column[start : start + len(block)] = column[block]
        self.count = len(rows)

    def add(self, new: HiddenAtoms) -> None:
        """Enters atoms, as the newest."""
        new = new.at(slice(max(0, len(new.x) - self.most), None))
        surplus = self.count + len(new.x) - self.most
        if surplus > 0:
            mask = torch.ones(self.count, dtype=torch.bool, device=self._columns.x.device)
            mask[:surplus] = False
            self.keep(mask)
        end = self.count + len(new.x)
        if end > len(self._columns.x):
            self._reserve(min(self.most, end + end // 4))
        for column, values in zip(self._columns, new, strict=True):
            column[self.count : end] = values
        self.count = end

    def _reserve(self, capacity: int) -> None:
        columns = list(self._columns)
        del self._columns  # so that no more than one column is held twice
        for index in range(len(columns)):
            columns[index] = grown(columns[index], capacity)
        self._columns = HiddenAtoms(*columns)
