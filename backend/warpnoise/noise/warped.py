"""Warped noise: particles of white noise that move with the surfaces on which they were spawned.

`transport` has the arithmetic, in the paper's order. This module keeps the table of particles and calls it.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from .base import NoiseMethod
from .engine import CpuEngine, Engine, engine_for
from .kernels.leaves import drop_shown, find_disoccluded, place_leaves
from .kernels.occluded import advect_occluded, occlude, occlude_beside
from .kernels.types import LARGE, LEAVING, OCCLUDED, OCCUPIED, VISIBLE, Leaves, Pass, Rows, Step
from .kernels.white import BLOCK, draw_white_noise, split_values
from .merging import Merging
from .motion import Motion
from .passes import both_passes
from .table import BYTES, OCCLUDED_BYTES, ParticleTable, indices
from .transport import advect, normalize, spawn, split
from .tree import tree_order, tree_over
from .warmup import compile_kernels

CHUNK = 1 << 18
"""Particles whose values are drawn at a time where values are not kept."""
SPLIT_ROUNDS = 12
"""Of halving a step: a surface may grow to 4096 times its area from one frame to the next."""


class WarpedNoise(NoiseMethod):
    """Integral noise that is white in every frame and faithful to every earlier one.

    The noise of a pixel is the integral of white noise W over the area A of the surfaces that the pixel covers, W(A) /
    sqrt(|A|) (eq. 5 of Chang et al., "How I Warped Your Noise", ICLR 2024). Particles on the surfaces carry W. So a
    visible surface keeps its noise, and a surface with a transform keeps it even while it is occluded.

    If the device is a CUDA device and `numba-cuda` is installed (``pip install warpnoise[cuda]``), the kernels run
    there. Otherwise, the CPU computes the noise and copies it to the device.

    Args:
        shape, seed, device, maps: see :class:`NoiseMethod`.
        atoms: k, which is 1, 2, 4 or 8. Each pixel is cut into k x k particles, which carry an atom of white noise
            each.
        grid: (height, width) of the grid of the particles, which must be the same multiple of the noise's height and
            width. The noise of every frame then equals that of the grid, pooled (summed over r x r pixels and divided
            by r), and costs as much. None: the noise's own grid. Noises of two sizes then agree exactly in the first
            frame, and later up to the spacing of the particles, 1 / k pixel.
        occluded: how many occluded particles are remembered, as a multiple of the particles of a frame. Those that were
            occluded first are dropped first.
        memory: bytes for particles and their stored values. Values that do not fit are computed again in every frame.
            Particles that do not fit are dropped where they are densest.
        engine: "cpu" or "cuda". None: "cuda" if the device is a CUDA device and `numba-cuda` is installed.

    Raises:
        ValueError: an argument is out of range.
        RuntimeError: the device or the engine is not available.
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
        occluded: float = 1.0,
        memory: int = 1 << 30,
        engine: str | None = None,
    ) -> None:
        super().__init__(shape, seed, device, maps)
        if isinstance(atoms, bool) or atoms not in (1, 2, 4, 8):
            raise ValueError(f"atoms must be 1, 2, 4 or 8 (particles on a pixel's side), got {atoms!r}")
        if not occluded >= 0:
            raise ValueError(f"occluded must be at least 0 (frames' worth of particles), got {occluded!r}")
        if isinstance(memory, bool) or not isinstance(memory, int) or memory < 0:
            raise ValueError(f"memory must be a number of bytes, got {memory!r}")
        self.atoms = atoms
        self._pooled = _checked_ratio(grid, self.shape)
        self.memory = memory
        self._engine: Engine = engine_for(self.device, engine)
        if isinstance(self._engine, CpuEngine):
            _compile_once()
        height, width = self._pooled * self.shape[1], self._pooled * self.shape[2]
        self._pixels = height * width
        self._tree = tree_over(height, width, atoms, seed, self._engine.device)
        self._table = ParticleTable(self._engine.device)
        self._w = torch.zeros((self._pixels, self.shape[0]), dtype=torch.float64, device=self._engine.device)
        self._area = torch.zeros(self._pixels, dtype=torch.float64, device=self._engine.device)
        particles = atoms * atoms * self._pixels
        most = max(particles * 5 // 4, min(particles * 8, memory // (BYTES + 12)))
        self._most_occluded = int(
            min(occluded * particles, max(0, memory - particles * BYTES) // (BYTES + OCCLUDED_BYTES))
        )
        self._merging = Merging(self._engine, self._table, particles * 17 // 16, most)
        self._table.reserve(particles * 9 // 8)
        for pixels in torch.split(torch.arange(self._pixels, device=self._engine.device), CHUNK // atoms**2):
            self._spawn(self._place_leaves(pixels, 0), 0)

    @property
    def atom_count(self) -> int:
        """The number of visible particles."""
        return self._table.number_of(VISIBLE)

    @property
    def occluded_count(self) -> int:
        """The number of occluded particles that are remembered."""
        return self._table.number_of(OCCLUDED)

    @property
    def bytes(self) -> int:
        """The memory of the particles and their stored values."""
        return self._table.bytes

    def _advance(self, motion: Motion) -> None:
        engine, table, tree = self._engine, self._table, self._tree
        forward, backward = both_passes(motion, tree.height, tree.width, engine)
        frame = self.frame_index + 1

        # Leaves that show something new; known particles will drop those in their areas.
        disoccluded = torch.empty((tree.height, tree.width), dtype=torch.bool, device=engine.device)
        engine.run(find_disoccluded, tree.height, backward, tree, frame, disoccluded, cost=4 * tree.width)
        leaves = self._place_leaves(indices(disoccluded.flatten()), frame)
        flags = torch.zeros(self._pixels, dtype=torch.uint8, device=engine.device)
        engine.run(drop_shown, len(leaves.pixels), backward, tree, leaves, flags, cost=4 * self.atoms**2)
        if not len(forward.surfaces):
            flags.zero_()  # nothing comes back

        # Advect, visibility.
        engine.run(advect, table.count, self._step(forward), leaves, flags)
        engine.run(advect_occluded, table.occluded_count, self._step(forward), leaves, flags, cost=2)
        leaving = table.rows_in(LEAVING)
        first = table.add_occluded(leaving, self._most_occluded)
        engine.run(occlude, len(leaving), self._step(forward), first, leaves, flags, cost=4)

        # Split.
        table.find_holes()
        self._split(forward, flags)

        # Spawn. A pixel with no particle would have no noise.
        spawned = self._spawn(leaves, frame)
        flags[spawned] = OCCUPIED
        self._spawn(self._place_leaves(indices(flags & OCCUPIED, 0), frame), frame)

        # Merge.
        self._merging.run(partial(self._step, forward))

    def _step(self, motion: Pass) -> Step:
        return Step(self._table.particles, self._table.occluded, motion, self._tree)

    def _split(self, forward: Pass, flags: Tensor) -> None:
        """Halves LARGE particles until none is left."""
        engine, table = self._engine, self._table
        rows = table.rows_in(LARGE)
        for _ in range(SPLIT_ROUNDS):
            if not len(rows):
                return
            to = table.rows(table.add(len(rows)), len(rows))
            step = self._step(forward)
            engine.run(split, len(rows), step, rows, to, flags, cost=4)
            for map_, values in table.values.items():
                arguments = (step.particles, step.tree, rows, to, map_, values)
                engine.run(split_values, len(rows), *arguments, cost=8)
            leaving = indices(step.particles.state[to], LEAVING)
            if len(leaving):
                first = table.add_occluded(to[leaving], self._most_occluded)
                engine.run(occlude_beside, len(leaving), self._step(forward), first, rows[leaving], cost=4)
            both = torch.cat([rows, to])
            rows = both[indices(step.particles.state[both], LARGE)]
        table.particles.state[rows] = VISIBLE

    def _place_leaves(self, pixels: Tensor, frame: int) -> Leaves:
        """All leaves of pixels."""
        device, k = self._engine.device, self.atoms
        slots = torch.full((self._pixels,), -1, dtype=torch.int32, device=device)
        leaves = Leaves(pixels, slots, torch.empty((len(pixels), k, k, 2), device=device))
        self._engine.run(place_leaves, len(pixels), self._tree, frame, leaves, cost=k * k)
        return leaves

    def _spawn(self, leaves: Leaves, frame: int) -> Tensor:
        """Adds the particles of leaves; returns the pixels in which they are."""
        engine, table, tree = self._engine, self._table, self._tree
        counts = leaves.points[..., 0].isfinite().sum((1, 2))
        chosen = indices(counts > 0)
        if not len(chosen):
            return chosen
        # In the tree's order: neighbors share most of the way down to them, and so most of the work of drawing.
        order = tree_order(tree.height, tree.width, engine.device).flatten()
        chosen = chosen[torch.argsort(order[leaves.pixels[chosen]])]
        ends = torch.cumsum(counts[chosen], 0)
        first, count = ends - counts[chosen], int(ends[-1])
        new = table.add(count)
        arguments = (table.particles, tree, frame, leaves, chosen, first, new)
        engine.run(spawn, len(chosen), *arguments, cost=self.atoms**2)
        for map_, values in table.values.items():
            self._draw(new, count, -1, map_, values)
        pixels: Tensor = leaves.pixels[chosen]
        return pixels

    def _draw(self, new: Rows, count: int, first: int, map_: int, values: Tensor) -> None:
        """Values of particles; see `kernels.white.draw_white_noise`."""
        channels, blocks = values.shape[1], (count + BLOCK - 1) // BLOCK
        batches = (channels + self._engine.batch - 1) // self._engine.batch
        arguments = (self._table.particles, self._tree, new, count, first, map_, values)
        self._engine.run(draw_white_noise, blocks * batches, *arguments, cost=(4 + channels // batches) * BLOCK)

    def _frame(self, map: int) -> Tensor:  # noqa: A002
        channels, engine, table, tree = self.shape[0], self._engine, self._table, self._tree
        w, area = self._w, self._area
        values = self._kept_values(map)
        if values is not None:
            engine.splat(0, table.particles, tree, values[: table.count], w, area)
        else:
            for first in range(0, table.count, CHUNK):
                count = min(CHUNK, table.count - first)
                values = torch.empty((count, channels), device=engine.device)
                self._draw(self._all_rows(first), count, 0, map, values)
                engine.splat(first, table.particles, tree, values, w, area)
        noise = torch.empty((channels, tree.height, tree.width), device=engine.device)
        blocks = (self._pixels + engine.block - 1) // engine.block
        cost = engine.block * (1 + channels // 4)
        engine.run(normalize, blocks, engine.block, w, area, noise.view(channels, -1), cost=cost)
        if self._pooled > 1:
            noise = torch.nn.functional.avg_pool2d(noise, self._pooled) * self._pooled
        return noise.to(self.device)

    def _all_rows(self, first: int) -> Rows:
        return Rows(torch.empty(0, dtype=torch.int64, device=self._engine.device), first)

    def _kept_values(self, map_: int) -> Tensor | None:
        """Values of all particles for a map, kept from step to step as far as memory goes."""
        table, channels = self._table, self.shape[0]
        if map_ not in table.values:
            if self.bytes + table.capacity * channels * 4 > self.memory:
                return None
            table.values[map_] = torch.empty((table.capacity, channels), device=table.device)
            self._draw(self._all_rows(0), table.count, -1, map_, table.values[map_])
        return table.values[map_]


_compiling = False


def _compile_once() -> None:
    """Compiles all kernels at the first use, which then is the only one that waits for them."""
    global _compiling
    if not _compiling:  # it makes a noise itself
        _compiling = True
        compile_kernels()


def _checked_ratio(grid: tuple[int, int] | None, shape: tuple[int, int, int]) -> int:
    """How many pixels of the particles' grid lie on a side of the noise's."""
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
