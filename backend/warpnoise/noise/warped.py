"""Noise that remembers: atoms of white noise that ride on the surfaces they were born on.

The steps, in the order in which they are done; docs/noise.md tells the mathematics.

1. birth       (`WarpedNoise.__init__`, `_give_birth`) pixels that show something new are cut into k x k atoms
2. motion      (`follow`, `rigid`) an atom moves with its surface
3. visibility  (`follow`, `hidden`) an atom that is lost to sight is forgotten, or goes on unseen if it can be tracked
4. split       (`split`) atoms are refined where the picture grows, and joined where it shrinks
5. sum         (`_frame`) n(i) = W(A_i) / sqrt(|A_i|): a pixel's atoms over the square root of their measure
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from types import ModuleType

import torch
from torch import Tensor

from . import compiled, hidden, reference, rigid
from .base import NoiseMethod
from .hidden_table import HiddenTable
from .motion import Motion
from .passage import Passage, both_ways, wants_calm
from .pyramid import Nodes, Pyramid
from .split import Halves, join
from .table import BYTES, HIDDEN_BYTES, Atoms, AtomTable

CHUNK = 1 << 18  # atoms whose values are made at a time where they are not kept
JOIN_ROUNDS = 8
ENGINES: dict[str, ModuleType] = {"compiled": compiled, "reference": reference}


class WarpedNoise(NoiseMethod):
    """Integral noise that is white in every frame and faithful to every earlier one.

    A pixel's noise is the integral of white noise over what it covers of the surfaces, W(A) / sqrt(|A|) (eq. 5 of
    Chang et al., "How I Warped Your Noise", ICLR 2024). W lives on the surfaces themselves, as atoms, so nothing is
    forgotten as long as a surface is in sight; a surface with a transform is remembered also while it is not.

    Args:
        shape: (channels, height, width) of the noise.
        seed: any 64-bit integer.
        device: where the noise is made and returned.
        maps: independent fields that are carried by the same motion.
        atoms: k, 1, 2, 4 or 8: a pixel is cut into k x k atoms.
        grid: (height, width) of the grid on which the atoms live, the same multiple of the noise's; None: the noise's
            own. The noise is then that of the grid, pooled (sums over r x r pixels, divided by r), in every frame the
            very same; it costs what noise of that size costs. Without, two sizes agree in the first frame, and after a
            motion as far as atoms of 1 / k pixel can: finer ones agree better.
        hidden: how much is remembered of what is not in sight, in frames' worth of atoms. The oldest goes
            first.
        memory: bytes that atoms and their kept values may take. Values that do not fit are made anew for every frame;
            atoms beyond it are dropped where they crowd.
        engine: "compiled" (CPU) or "reference" (torch, any device); None: the faster one that the device has.

    Raises:
        ValueError: an argument is out of its range.
        RuntimeError: the device is not there.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        seed: int = 0,
        device: str | torch.device = "cpu",
        maps: int = 1,
        *,
        atoms: int = 4,
        grid: tuple[int, int] | None = None,
        hidden: float = 1.0,
        memory: int = 1 << 30,
        engine: str | None = None,
    ) -> None:
        super().__init__(shape, seed, device, maps)
        if isinstance(atoms, bool) or atoms not in (1, 2, 4, 8):
            raise ValueError(f"atoms must be 1, 2, 4 or 8 (atoms on a pixel's side), got {atoms!r}")
        if not hidden >= 0:
            raise ValueError(f"hidden must be at least 0 (frames' worth of atoms), got {hidden!r}")
        if isinstance(memory, bool) or not isinstance(memory, int) or memory < 0:
            raise ValueError(f"memory must be a number of bytes, got {memory!r}")
        if engine is not None and engine not in ENGINES:
            raise ValueError(f"engine must be one of {', '.join(ENGINES)} or None, got {engine!r}")
        self.atoms = atoms
        self._pooled = _checked_ratio(grid, self.shape)
        height, width = self._pooled * self.shape[1], self._pooled * self.shape[2]
        self.memory = memory
        if engine == "compiled" and self.device.type == "cuda":
            raise ValueError("engine 'compiled' runs on the CPU, but device is 'cuda'; use engine='reference' or None")
        name = engine or ("reference" if self.device.type == "cuda" else "compiled")
        self._engine = ENGINES[name]
        # Other devices than CUDA lack float64 or deterministic sums: the atoms stay on the CPU, the noise goes there.
        self._work = self.device if name == "reference" and self.device.type == "cuda" else torch.device("cpu")
        self._pyramid = Pyramid(height, width, atoms, seed)
        self._table = AtomTable(self._work)
        self._rigid: dict[int, bool] = {}
        pixels = atoms * atoms * height * width
        fitting = memory // (BYTES + 12)
        self._most_atoms = max(pixels * 5 // 4, min(pixels * 8, fitting))
        most_hidden = int(min(hidden * pixels, max(0, memory - pixels * BYTES) // HIDDEN_BYTES))
        self._hidden = HiddenTable(self._work, most_hidden)
        self._join_at = self._join_at_least = pixels * 17 // 16
        self._table.reserve(pixels * 5 // 4)
        none = torch.empty(0, dtype=torch.int64, device=self._work)
        everything = torch.full((height * width,), _all_bits(atoms * atoms), dtype=torch.int64, device=self._work)
        self._place(none, [], {}, everything, 0)

    @property
    def atom_count(self) -> int:
        """How many atoms are in sight."""
        return self._table.count

    @property
    def hidden_count(self) -> int:
        """How many atoms are remembered out of sight."""
        return self._hidden.count

    @property
    def bytes(self) -> int:
        """The memory of atoms and kept values."""
        return self._table.bytes + self._hidden.bytes

    def _advance(self, motion: Motion) -> None:
        engine, table, pyramid = self._engine, self._table, self._pyramid
        ahead, behind = both_ways(motion, pyramid.height, pyramid.width, self._work)
        if len(ahead.surfaces):
            ahead, behind = rigid.route(engine, ahead, behind, self._rigid)
        if wants_calm(ahead):
            ahead, behind = engine.find_calm(ahead), engine.find_calm(behind)
        frame = self.frame_index + 1

        # Motion and visibility.
        status, occupied = engine.move_atoms(ahead, table, pyramid)
        special = (status != engine.SEEN).nonzero()[:, 0]
        kind = status[special]
        large, lost, leaving = (
            special[kind == engine.LARGE],
            special[kind != engine.LARGE],
            special[kind == engine.HIDDEN],
        )
        went = engine.hide(ahead, table.atoms.at(leaving))
        back = hidden.advance(engine, ahead, self._hidden)

        # Split.
        halves = engine.split(ahead, table, pyramid, table.atoms.at(large))
        back_halves = engine.split(ahead, table, pyramid, back)
        back = back._replace(code=back_halves.code)
        self._hidden.add(went)
        for some in (halves, back_halves):
            if len(ahead.surfaces):
                self._hidden.add(engine.beside(ahead, some.lost, some.lost_x, some.lost_y))
        more_values = self._take_halves(large, halves)
        new = [back, back_halves.more, halves.more]

        # Birth.
        masks = engine.uncovered(behind, pyramid, frame)
        if len(back.x) or self._hidden.count:
            masks = engine.without_covered(ahead, table, pyramid, masks, frame, status, new, self._hidden.atoms)
        masks = self._fill_empty(masks, occupied, new)
        self._place(lost, [halves.more, back, back_halves.more], more_values, masks, frame)
        self._shrink(ahead)
        remembered = self._hidden.atoms.cell
        remembered.copy_(table.collect_cells(remembered))

    def _give_birth(self, masks: Tensor, frame: int) -> Iterator[Atoms]:
        """The atoms of leaves that masks (see `uncovered`) name, in the frame of their birth, some pixels at a time;
        enters their cells."""
        pyramid, width = self._pyramid, self._pyramid.width
        bearing = pyramid.along_the_tree(masks.nonzero()[:, 0])
        for pixels in torch.split(bearing, max(1, CHUNK // self.atoms**2)):
            level = torch.full_like(pixels, pyramid.pixel_level)
            cells = self._table.add_cells(Nodes(torch.full_like(pixels, frame), level, pixels % width, pixels // width))
            x, y, place, code = self._engine.born(pyramid, frame, pixels, masks[pixels])
            stretch = torch.tensor([1.0, 0.0, 0.0, 1.0], device=self._work).expand(len(x), 4)
            yield Atoms(x, y, stretch, cells[place.to(torch.int64)], code)

    def _fill_empty(self, masks: Tensor, occupied: Tensor, parts: list[Atoms]) -> Tensor:
        """Lets pixels in which nothing lies and nothing is to be born give birth to all of their leaves."""
        for atoms in parts:
            if len(atoms.x):
                occupied[self._pyramid.pixel(atoms.x, atoms.y)] = True
        return torch.where(occupied | (masks != 0), masks, _all_bits(self.atoms**2))

    def _take_halves(self, rows: Tensor, halves: Halves) -> dict[int, Tensor]:
        """Lets atoms in some rows become the halves that stay in their place.

        Returns:
            {map: values} of the halves that part from them.
        """
        engine, table, pyramid = self._engine, self._table, self._pyramid
        if not len(rows):
            return {map_: values[:0] for map_, values in table.values.items()}
        cell, above = table.columns.cell[rows], table.columns.code[rows]
        source, changed = halves.source, (halves.code != above).nonzero()[:, 0]
        table.columns.code[rows[changed]] = halves.code[changed]
        result = {}
        for map_, values in table.values.items():
            result[map_], own = (
                engine.refined(pyramid, table, cell[from_], code, above[from_], rows[from_], map_)
                for from_, code in ((source, halves.more.code), (changed, halves.code[changed]))
            )
            values[rows[changed]] = own
        return result

    def _place(
        self, lost: Tensor, parts: list[Atoms], known_values: dict[int, Tensor], masks: Tensor, frame: int
    ) -> None:
        """Takes out the rows of lost atoms and puts in others, and those that masks let be born.

        Args:
            parts: atoms to put in.
            known_values: {map: values} of the first of ``parts``.
        """
        table = self._table
        known = len(parts[0].x) if parts else 0
        old = [Atoms.join(parts)] if parts else []
        for new in itertools.chain(old, self._give_birth(masks, frame)):
            count = len(new.x)
            rows = table.replace(lost[:count], new)
            lost = lost[count:]
            for map_, values in table.values.items():
                if known:
                    values.index_copy_(0, rows[:known], known_values[map_])
                drawn = self._engine.values(self._pyramid, table, rows[known:], self.shape[0], map_)
                values.index_copy_(0, rows[known:], drawn)
            known = 0
        table.remove(lost)

    def _shrink(self, ahead: Passage) -> None:
        """Joins atoms where they crowd, so that a picture that shrinks does not grow in memory."""
        table = self._table
        if table.count <= self._join_at:
            return
        for _ in range(JOIN_ROUNDS):
            kept, dropped = self._engine.find_halves(ahead, table, self._pyramid)
            join(table, kept, dropped)
            if len(dropped) < table.count // 8:
                break
        if table.count > self._most_atoms:
            self._drop_surplus()
        self._join_at = min(self._most_atoms, max(self._join_at_least, table.count * 17 // 16))

    def _drop_surplus(self) -> None:
        """The last resort: drops atoms of the most crowded pixels. What is left is as white as before."""
        table = self._table
        pixel = self._pyramid.pixel(table.atoms.x, table.atoms.y)
        counts = torch.bincount(pixel, minlength=self._pyramid.height * self._pyramid.width)
        low, high = 1, int(counts.max())
        while low < high:  # the largest limit a pixel that all fit in
            limit = (low + high + 1) // 2
            low, high = (limit, high) if int(counts.clamp(max=limit).sum()) <= self._most_atoms else (low, limit - 1)
        order = torch.argsort(pixel, stable=True)
        rank = torch.empty_like(order)
        rank[order] = torch.arange(len(order), device=order.device) - (torch.cumsum(counts, 0) - counts)[pixel[order]]
        gone = (rank >= low).nonzero()[:, 0]
        table.remove(gone)

    def _frame(self, map: int) -> Tensor:  # noqa: A002
        channels, height, width = self.shape[0], self._pyramid.height, self._pyramid.width
        engine, table = self._engine, self._table
        sums = torch.zeros((height * width, channels), device=self._work)
        total = torch.zeros(height * width, device=self._work)
        values = self._kept_values(map)
        if values is not None:
            engine.accumulate(table, self._pyramid, values[: table.count], 0, sums, total)
        else:
            for rows in self._chunks():
                some = engine.values(self._pyramid, table, rows, channels, map)
                engine.accumulate(table, self._pyramid, some, int(rows[0]), sums, total)
        noise: Tensor = engine.finish(sums, total, channels, height, width)
        if self._pooled > 1:
            noise = torch.nn.functional.avg_pool2d(noise, self._pooled) * self._pooled
        return noise.to(self.device)

    def _chunks(self) -> Iterator[Tensor]:
        """The rows of all atoms, some at a time."""
        for first in range(0, self._table.count, CHUNK):
            yield torch.arange(first, min(first + CHUNK, self._table.count), device=self._work)

    def _kept_values(self, map_: int) -> Tensor | None:
        """The values of all atoms for a map, kept from step to step as far as memory goes."""
        table, channels = self._table, self.shape[0]
        if map_ not in table.values:
            capacity = len(table.columns.x)
            if self.bytes + capacity * channels * 4 > self.memory:
                return None
            values = table.values[map_] = torch.empty((capacity, channels), device=self._work)
            for rows in self._chunks():
                values[rows] = self._engine.values(self._pyramid, table, rows, channels, map_)
        return table.values[map_]


def _all_bits(count: int) -> int:
    """A word whose ``count`` lowest bits are set, as a signed integer of 64 bits."""
    return (1 << count) - 1 if count < 64 else -1


def _checked_ratio(grid: tuple[int, int] | None, shape: tuple[int, int, int]) -> int:
    """How many pixels of the atoms' grid lie on a side of the noise's."""
    if grid is None:
        return 1
    _, height, width = shape
    good = isinstance(grid, (tuple, list)) and len(grid) == 2 and all(isinstance(n, int) and n > 0 for n in grid)
    good = good and grid[0] % height == 0
    if not good or grid[1] * height != grid[0] * width:
        raise ValueError(
            f"grid must be (height, width), the same multiple of the noise's {height} x {width} pixels, got {grid!r}"
        )
    return grid[0] // height
