"""The atoms that are seen: where they are, and which area of white noise each of them is."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .pyramid import Nodes, below

BYTES = 2 * 4 + 4 * 4 + 2 * 4  # of an atom, without its values
HIDDEN_BYTES = 3 * 4 + 6 * 4 + 3 * 4 + 1 + 4  # of an atom that is not seen, with when it was lost to sight

CHUNK = 1 << 20
CLOSED_UP = 1 << 16  # rows moved at a time: what fits a cache


class Atoms(NamedTuple):
    """n atoms. An atom is a node below a cell: the cell is the pixel in which it was born, or a larger node."""

    x: Tensor  # (n,) float32: noise pixels, (0, 0) is the frame's top left corner
    y: Tensor
    stretch: Tensor  # (n, 4) float32: dx/du, dx/dv, dy/du, dy/dv of the place now by the place (u, v) at birth
    cell: Tensor  # (n,) int32: row in the table of cells
    code: Tensor  # (n,) int32: heap code below the cell (see `pyramid.below`)

    def at(self, index: Tensor) -> Atoms:
        """Those that rows (int64) or a mask (bool) name."""
        rows = rows_of(index)
        return Atoms(*(column.index_select(0, rows) for column in self))

    @classmethod
    def join(cls, parts: list[Atoms]) -> Atoms:
        return cls(*(torch.cat(columns) for columns in zip(*parts, strict=True)))


class HiddenAtoms(NamedTuple):
    """n atoms. Rows without a depth (NaN) are gaps."""

    x: Tensor  # (n,) float32, noise pixels from the frame's corner
    y: Tensor
    d: Tensor  # (n,) float32, projective depth
    stretch: Tensor  # (n, 6) float32: dx/du, dx/dv, dy/du, dy/dv, dd/du, dd/dv
    behind: Tensor  # (n,) bool: behind the camera
    surface: Tensor  # (n,) int32
    cell: Tensor  # (n,) int32
    code: Tensor  # (n,) int32

    def at(self, index: Tensor | slice) -> HiddenAtoms:
        """Those that rows (int64), a mask (bool) or a slice name; a slice copies nothing."""
        if isinstance(index, slice):
            return HiddenAtoms(*(column[index] for column in self))
        rows = rows_of(index)
        return HiddenAtoms(*(column.index_select(0, rows) for column in self))

    def seen(self, index: Tensor) -> Atoms:
        """Those of ``index`` as atoms that are seen."""
        x, y, _, stretch, _, _, cell, code = self.at(index)
        return Atoms(x, y, stretch[:, :4], cell, code)


def no_hidden(device: torch.device) -> HiddenAtoms:
    floats = torch.empty(0, device=device)
    integers = torch.empty(0, dtype=torch.int32, device=device)
    return HiddenAtoms(
        floats,
        floats,
        floats,
        torch.empty((0, 6), device=device),
        torch.empty(0, dtype=torch.bool, device=device),
        integers,
        integers,
        integers,
    )


class AtomTable:
    """Atoms without gaps, in columns with a quarter to spare (which a CPU's memory pays for only when it is used).

    The order of the rows is part of the result's last bits (sums are taken in it), so every change is deterministic.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.count = 0
        self.cell_count = 0
        self.columns = Atoms(
            torch.empty(0, device=device),
            torch.empty(0, device=device),
            torch.empty((0, 4), device=device),
            torch.empty(0, dtype=torch.int32, device=device),
            torch.empty(0, dtype=torch.int32, device=device),
        )
        self.values: dict[int, Tensor] = {}  # map: (capacity, channels) float32, kept up by the owner
        self.cell_rows = torch.empty((0, 4), dtype=torch.int32, device=device)  # frame, level, ix, iy
        self.plain = True  # no cell is larger than a pixel
        self._collect_at = 4096

    @property
    def atoms(self) -> Atoms:
        """The atoms themselves: views, to read and write."""
        return Atoms(*(column[: self.count] for column in self.columns))

    @property
    def bytes(self) -> int:
        tensors = (*self.columns, *self.values.values(), self.cell_rows)
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    def nodes(self, cell: Tensor, code: Tensor) -> Nodes:
        """The nodes of atoms with these columns."""
        row = self.cell_rows[cell.to(torch.int64)].to(torch.int64)
        return below(Nodes(row[:, 0], row[:, 1], row[:, 2], row[:, 3]), code.to(torch.int64))

    def add_cells(self, nodes: Nodes) -> Tensor:
        """Enters cells and returns their rows, int32."""
        first, count = self.cell_count, len(nodes.ix)
        self._reserve_cells(first + count)
        self.cell_rows[first : first + count] = torch.stack(nodes, dim=1).to(torch.int32)
        self.cell_count += count
        return torch.arange(first, first + count, dtype=torch.int32, device=self.device)

    def replace(self, gone: Tensor, new: Atoms) -> Tensor:
        """Puts atoms in the place of others.

        Args:
            gone: (g,) int64, ascending rows, at most as many as there are new atoms. Those take these rows first; the
                others come at the end.

        Returns:
            The rows of the new atoms, int64, ascending. Their values are still to be set.
        """
        beyond = len(new.x) - len(gone)
        rows = torch.cat([gone, torch.arange(self.count, self.count + beyond, device=self.device)])
        if self.count + beyond > len(self.columns.x):
            self.reserve((self.count + beyond) * 5 // 4)
        for column, values in zip(self.columns, new, strict=True):
            column.index_copy_(0, rows, values)
        self.count += beyond
        return rows

    def remove(self, gone: Tensor) -> None:
        """Takes atoms out: (g,) int64, ascending rows. The last atoms fill the holes."""
        if not len(gone):
            return
        end = self.count - len(gone)
        stays = torch.ones(len(gone), dtype=torch.bool, device=self.device)
        stays[gone[gone >= end] - end] = False
        last = torch.arange(end, self.count, device=self.device)[stays]
        into = gone[gone < end]
        for column in (*self.columns, *self.values.values()):
            column.index_copy_(0, into, column.index_select(0, last))
        self.count = end

    def close_up(self, gone: Tensor) -> None:
        """Takes atoms out: (g,) int64, ascending rows. The others move up in their order.

        It moves more than `remove` does. But where many go again and again, filling holes with the last atoms comes to
        neighbours that lie all over memory, and every later step pays for it.
        """
        if not len(gone):
            return
        first = end = int(gone[0])
        stays = torch.ones(self.count - first, dtype=torch.bool, device=self.device)
        stays[gone - first] = False
        for start in range(first, self.count, CLOSED_UP):
            rows = stays[start - first :][:CLOSED_UP].nonzero()[:, 0] + start
            for column in (*self.columns, *self.values.values()):
                column[end : end + len(rows)] = column.index_select(0, rows)
            end += len(rows)
        self.count = end

    def collect_cells(self, others: Tensor) -> Tensor:
        """Forgets cells that no atom belongs to any more, once they may be many.

        Args:
            others: (n,) int32: cells that atoms outside this table belong to.

        Returns:
            ``others``, renumbered.
        """
        if self.cell_count < self._collect_at:
            return others
        mine = torch.split(self.columns.cell[: self.count], CHUNK)  # as rows are named by integers of twice the size
        used = torch.zeros(self.cell_count, dtype=torch.bool, device=self.device)
        for cells in (*mine, others):
            used[cells.to(torch.int64)] = True
        number = torch.cumsum(used, dim=0, dtype=torch.int32) - 1
        for cells in mine:
            cells.copy_(number[cells.to(torch.int64)])
        kept = self.cell_rows[: self.cell_count][used]
        self.cell_count = len(kept)
        self.cell_rows[: self.cell_count] = kept
        self._collect_at = 4096 + self.cell_count * 3 // 2
        return number[others.to(torch.int64)]

    def reserve(self, capacity: int) -> None:
        """Makes room for so many atoms."""
        columns = list(self.columns)
        del self.columns  # so that no more than one column is held twice
        for index in range(len(columns)):
            columns[index] = grown(columns[index], capacity)
        self.columns = Atoms(*columns)
        for map_ in self.values:
            self.values[map_] = grown(self.values[map_], capacity)

    def _reserve_cells(self, count: int) -> None:
        if count > len(self.cell_rows):
            self.cell_rows = grown(self.cell_rows, count + count // 4)


def rows_of(index: Tensor) -> Tensor:
    """The rows that a mask names; rows stay what they are. Copying whole rows by number is the fastest way."""
    return index.nonzero()[:, 0] if index.dtype == torch.bool else index


def grown(column: Tensor, capacity: int) -> Tensor:
    """A column of that many rows that begins with the rows of another."""
    result = column.new_empty((capacity, *column.shape[1:]))
    result[: len(column)] = column
    return result
