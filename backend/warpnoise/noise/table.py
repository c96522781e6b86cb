"""The table of particles: their positions, and the area of white noise that each of them carries."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .kernels.types import DEAD, Groups, Occlusion, Particles

BYTES = 4 * (1 + 1 + 4 + 3) + 1
"""Of a particle, without its values."""
OCCLUDED_BYTES = 8 + 4 * (3 + 2 + 1)
"""Of an occluded one, besides."""


class ParticleTable:
    """Visible and occluded particles, in columns with room to spare (for which a CPU pays only when it is used).

    Dead rows are holes that new particles take first. Sums over particles are exact, so the order of rows does not
    matter to the result.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.values: dict[int, Tensor] = {}
        """{map: (capacity, channels) float32}: W(A) of every row."""
        self.count = 0
        """Rows in use, holes among them."""
        self.occluded_count = 0

        def empty(dtype: torch.dtype, *parts: int) -> Tensor:
            return torch.empty((0, *parts), dtype=dtype, device=device)

        f, i = torch.float32, torch.int32
        self._particles = Particles._make(empty(dtype) for dtype in (f,) * 6 + (i,) * 3 + (torch.int8,))
        self._occluded = Occlusion(empty(torch.int64), empty(f), empty(f), empty(f), empty(f, 2), empty(i))
        self.groups = Groups(empty(i), empty(torch.float64, 4, 4))
        self._most_groups = 0
        self._holes = empty(torch.int64)

    @property
    def particles(self) -> Particles:
        """All rows: views, to read and write, until the table grows."""
        return Particles._make([column[: self.count] for column in self._particles])

    @property
    def occluded(self) -> Occlusion:
        """Entries of occluded particles, oldest first: views, until the table grows. Row -1: a gap."""
        return Occlusion._make([column[: self.occluded_count] for column in self._occluded])

    @property
    def capacity(self) -> int:
        return int(self._particles.x.shape[0])

    @property
    def bytes(self) -> int:
        tensors = (*self._particles, *self._occluded, *self.groups, *self.values.values())
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    def rows_in(self, state: int) -> Tensor:
        """Rows in a state, ascending. int64."""
        return indices(self.particles.state, state)

    def number_of(self, state: int) -> int:
        """How many particles are in a state."""
        return int(np.count_nonzero(self.particles.state.numpy(force=True) == state))

    def find_holes(self) -> None:
        """Lets new particles take the rows that are dead now."""
        self._holes = self.rows_in(DEAD)

    def add(self, count: int) -> Tensor:
        """Rows for new particles, whose columns are still to be set. int64."""
        holes, self._holes = self._holes[:count], self._holes[count:]
        end = self.count
        self.count += count - len(holes)
        if self.count > self.capacity:
            self.reserve(self.count * 5 // 4)
        self._particles.state[end : self.count] = DEAD
        return torch.cat([holes, torch.arange(end, self.count, device=self.device)])

    def add_occluded(self, rows: Tensor, most: int) -> int:
        """Enters particles as the newest occluded ones. Beyond ``most`` the oldest die.

        Returns:
            The first of their entries, which are still to be set.
        """
        state, lost = self._particles.state, max(0, len(rows) - most)
        state[rows[:lost]] = DEAD
        if self.occluded_count + len(rows) > min(most, len(self._occluded.row)):
            known = indices(self.occluded.row >= 0)
            surplus = len(known) + len(rows) - most
            if surplus > 0:  # some more, so that not every frame drops some
                surplus = min(surplus + most // 8, len(known))
                state[self.occluded.row[known[:surplus]]] = DEAD
                known = known[surplus:]
            for column in self._occluded:
                column[: len(known)] = column.index_select(0, known)
            self.occluded_count = len(known)
        first = self.occluded_count
        self.occluded_count += len(rows)
        if self.occluded_count > len(self._occluded.row):
            capacity = self.occluded_count + self.occluded_count // 2
            self._occluded = Occlusion._make([grown(column, capacity) for column in self._occluded])
        self._occluded.row[first : self.occluded_count] = rows
        self._occluded.row[first : first + lost] = -1
        return first

    def advance_groups(self, surfaces: Tensor, transforms: Tensor) -> int:
        """Composes the groups' transforms with a step's, and adds groups for what is occluded in it.

        Args:
            surfaces: (m,) int32, sorted: those with a transform.
            transforms: (m, 4, 4) float64, in noise pixels.

        Returns:
            The first of m groups that have moved by ``transforms``; m that have not moved yet follow.
        """
        if len(self.groups.surface) > self._most_groups:
            self._drop_groups()
        surface, moved = self.groups
        if not len(surface) and not len(surfaces):
            return 0
        step, known = torch.full_like(moved, torch.nan), torch.isin(surface, surfaces)
        step[known] = transforms[torch.searchsorted(surfaces, surface[known])]
        moved = sum((step[:, :, k, None] * moved[:, None, k] for k in range(4)), start=torch.zeros_like(moved))
        moved /= moved.abs().amax((1, 2), keepdim=True)  # a factor says nothing, and must not grow without end
        still = torch.eye(4, dtype=torch.float64, device=self.device).expand_as(transforms)
        self.groups = Groups(torch.cat([surface, surfaces, surfaces]), torch.cat([moved, transforms, still]))
        return len(surface)

    def _drop_groups(self) -> None:
        """Drops groups without particles."""
        alive = indices(self.occluded.row >= 0)
        group = self.occluded.group[alive].long()
        used = torch.zeros(len(self.groups.surface), dtype=torch.bool, device=self.device)
        used[group] = True
        self.occluded.group[alive] = (torch.cumsum(used, 0) - 1)[group].int()
        self.groups = Groups(self.groups.surface[used], self.groups.transform[used])
        self._most_groups = 2 * len(self.groups.surface) + 64

    def reserve(self, capacity: int) -> None:
        """Makes room for so many particles. No more than one column is held twice."""
        columns = list(self._particles)
        del self._particles
        for index in range(len(columns)):
            columns[index] = grown(columns[index], capacity)
        self._particles = Particles(*columns)
        for map_ in self.values:
            self.values[map_] = grown(self.values[map_], capacity)


def indices(column: Tensor, value: int = True, compare: Callable[[Any, int], Any] = operator.eq) -> Tensor:
    """Where a column has a value, ascending. int64."""
    if column.device.type == "cpu":  # NumPy finds few among many several times as fast, and wakes no other thread
        return torch.from_numpy(np.flatnonzero(compare(column.numpy(), value)))
    found: Tensor = compare(column, value).nonzero()[:, 0]
    return found


def grown(column: Tensor, capacity: int) -> Tensor:
    """A column of ``capacity`` rows that begins with the rows of another."""
    result = column.new_empty((capacity, *column.shape[1:]))
    result[: len(column)] = column
    return result
