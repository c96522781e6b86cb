"""Warped noise: particles of white noise that move with the surfaces on which they were spawned.

`transport` has the arithmetic in the paper's order. This module owns the table of particles and runs the kernels on it.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from itertools import product

import torch
from torch import Tensor

from .base import NoiseMethod, is_integer
from .engine import Engine, engine_for
from .kernels.leaves import keep_disoccluded, place_leaves
from .kernels.occluded import advect_occluded, occlude
from .kernels.types import LARGE, LEAVING, UNTESTED, VISIBLE, Leaves, Particles, Pass, Step
from .kernels.white import BLOCK, draw_white_noise, split_values
from .merging import Merging
from .motion import Motion
from .records import both_passes, tree_order, tree_over
from .table import BYTES, OCCLUDED_BYTES, ParticleTable, indices
from .transport import advect, check_visibility, normalize, spawn, split

CHUNK = 1 << 18
"""The number of particles whose values are drawn at a time if values are not stored."""
SPLIT_ROUNDS = 12
"""The number of splits in a step: a surface may grow to 4096 times its area from one frame to the next."""


class WarpedNoise(NoiseMethod):
    """Integral noise that is white in every frame and faithful to every earlier one (see docs/noise.md).

    The noise of a pixel is the integral of white noise W over the area A of the surfaces that the pixel covers, W(A) /
    sqrt(|A|) (eq. 5 of Chang et al., "How I Warped Your Noise", ICLR 2024). Particles on the surfaces carry W. So a
    visible surface keeps its noise, and a surface with a transform (see `Motion`) keeps it even while it is
    occluded.

    If the device is a CUDA device and `numba-cuda` is installed (``pip install warpnoise[cuda]``), the kernels run
    there. Otherwise, the CPU computes the noise and copies it to the device.

    Args:
        shape, seed, device, maps: see :class:`NoiseMethod`.
        particles_per_side: k. Each pixel starts with k x k particles; 1, 2, 4 or 8.
        occluded: how many occluded particles are remembered, as a multiple of the particles of a frame. Those that were
            occluded first are dropped first.
        memory: the most bytes for particles and their stored values. Values that do not fit are computed again in every
            frame. Particles that do not fit are dropped where they are densest, which costs fidelity.
        engine: "cpu" or "cuda". Default: "cuda" if the device is a CUDA device and `numba-cuda` is installed.

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
        particles_per_side: int = 4,
        occluded: float = 1.0,
        memory: int = 1 << 30,
        engine: str | None = None,
    ) -> None:
        super().__init__(shape, seed, device, maps)
        side = particles_per_side
        if not is_integer(side, 1) or side not in (1, 2, 4, 8):
            raise ValueError(f"particles_per_side must be 1, 2, 4 or 8, got {side!r}")
        if not isinstance(occluded, (int, float)) or not occluded >= 0:
            raise ValueError(f"occluded must be at least 0 (frames' worth of particles), got {occluded!r}")
        if not is_integer(memory, 0):
            raise ValueError(f"memory must be a number of bytes, got {memory!r}")
        self._side = side
        self.memory = memory
        self._engine: Engine = engine_for(self.device, engine)
        _, height, width = self.shape
        self._pixels = height * width
        self._tree = tree_over(height, width, side, seed, self._engine.device)
        # Successive pixels share most ancestors, and so most of the work of drawing.
        self._order = tree_order(height, width, self._engine.device)
        self._table = ParticleTable(self._engine.device)
        self._w = torch.zeros((self._pixels, self.shape[0]), dtype=torch.float64, device=self._engine.device)
        self._area = torch.zeros(self._pixels, dtype=torch.float64, device=self._engine.device)
        particles = side * side * self._pixels
        most = max(particles * 5 // 4, min(particles * 8, memory // (BYTES + 12)))
        room = max(0, memory - particles * BYTES) // (BYTES + OCCLUDED_BYTES)
        self._most_occluded = int(min(occluded * particles, room))
        self._merging = Merging(self._engine, self._table, particles * 17 // 16, most)
        self._table.reserve(particles * 9 // 8)
        for pixels in torch.split(self._order, CHUNK // side**2):
            self._spawn(self._place_leaves(pixels, 0))

    @property
    def bytes(self) -> int:
        """The memory, in bytes, of the particles and their stored values."""
        return self._table.bytes

    def _advance(self, motion: Motion) -> None:
        engine, table, tree = self._engine, self._table, self._tree
        forward, backward = both_passes(motion, tree, engine)
        frame = self.frame_index + 1

        # Leaves of disoccluded pixels. Particles that are advected into their area will drop them.
        pixels = self._order
        if motion.size == self.shape[1:] and min(motion.size) > 1:
            squares = backward.interior[:-1, :-1] == 0
            exterior = torch.zeros(motion.size, dtype=torch.bool, device=engine.device)
            for j, i in product((0, 1), repeat=2):
                exterior[j : tree.height - 1 + j, i : tree.width - 1 + i] |= squares
            pixels = pixels[indices(exterior.flatten()[pixels])]
        leaves = self._place_leaves(pixels, frame)
        engine.run(keep_disoccluded, len(leaves.pixels), backward, tree, leaves, cost=4 * self._side**2)

        # Advect, and test the visibility.
        group = table.advance_groups(forward.surfaces, forward.transforms)
        if not forward.interior.any():
            rows = table.rows_in(VISIBLE)
        else:
            near = leaves.near if len(forward.surfaces) else leaves.near[:0]
            planes = (forward.flow.flatten(), forward.interior.flatten(), near)
            engine.run(advect, table.count, self._step(forward), *planes)
            rows = indices(table.particles.state, UNTESTED, operator.ge)
        engine.run(check_visibility, len(rows), self._step(forward), leaves, rows, cost=4)
        if len(forward.surfaces):
            leaving = table.rows_in(LEAVING)
            self._occlude(leaving, leaving, forward, forward.source, forward.source_depth, group)
        engine.run(advect_occluded, table.occluded_count, self._step(forward), leaves, cost=2)

        # Split, spawn and merge.
        table.find_holes()
        self._split(forward, group + len(forward.surfaces))
        self._spawn(leaves)
        self._merging.run(self._step(forward))

    def _step(self, motion: Pass) -> Step:
        return Step(self._table.particles, self._table.occluded, self._table.groups, motion, self._tree)

    def _occlude(
        self, rows: Tensor, beside: Tensor, motion: Pass, surfaces: Tensor, depths: Tensor, group: int
    ) -> None:
        """Adds particles to the occluded ones; see `kernels.occluded.occlude`."""
        if len(rows):
            first = self._table.add_occluded(rows, self._most_occluded)
            self._engine.run(occlude, len(rows), self._step(motion), first, group, surfaces, depths, beside, cost=4)

    def _split(self, forward: Pass, group: int) -> None:
        """Splits LARGE particles until none is left. ``group``: the group of children that are occluded."""
        engine, table = self._engine, self._table
        rows = table.rows_in(LARGE)
        for _ in range(SPLIT_ROUNDS):
            if not len(rows):
                return
            to = table.add(len(rows))
            step = self._step(forward)
            engine.run(split, len(rows), step, rows, to, cost=4)
            for map_, values in table.values.items():
                engine.run(split_values, len(rows), step.particles, step.tree, rows, to, map_, values, cost=8)
            leaving = indices(step.particles.state[to], LEAVING)
            self._occlude(to[leaving], rows[leaving], forward, forward.target, forward.target_depth, group)
            both = torch.cat([rows, to])
            rows = both[indices(step.particles.state[both], LARGE)]
        table.particles.state[rows] = VISIBLE

    def _place_leaves(self, pixels: Tensor, frame: int) -> Leaves:
        """All leaves of some pixels."""
        device, k = self._engine.device, self._side
        slots = torch.full((self._pixels,), -1, dtype=torch.int32, device=device)
        points = torch.empty((len(pixels), k, k, 2), device=device)
        leaves = Leaves(frame, pixels, slots, points, torch.zeros_like(slots))
        self._engine.run(place_leaves, len(pixels), self._tree, leaves, cost=k * k)
        return leaves

    def _spawn(self, leaves: Leaves) -> Tensor:
        """Adds the particles of leaves to the table, and returns their rows."""
        engine, table = self._engine, self._table
        counts = leaves.points[..., 0].isfinite().sum((1, 2))
        chosen = indices(counts > 0)
        ends = torch.cumsum(counts[chosen], 0)
        rows = table.add(int(ends[-1]) if len(ends) else 0)
        arguments = (table.particles, self._tree, leaves, chosen, ends - counts[chosen], rows)
        engine.run(spawn, len(chosen), *arguments, cost=self._side**2)
        for map_, values in table.values.items():
            self._draw(table.particles, rows, 0, map_, values)
        return rows

    def _draw(self, particles: Particles, rows: Tensor, first: int, map_: int, values: Tensor) -> None:
        """Draws the values of particles; see `kernels.white.draw_white_noise`."""
        channels, blocks = values.shape[1], (len(rows) + BLOCK - 1) // BLOCK
        batches = (channels + self._engine.batch - 1) // self._engine.batch
        arguments = (particles, self._tree, rows, first, map_, values)
        self._engine.run(draw_white_noise, blocks * batches, *arguments, cost=(4 + channels // batches) * BLOCK)

    def _frame(self, map: int) -> Tensor:  # noqa: A002
        engine, table = self._engine, self._table
        if self._stores(map):
            values = table.values[map][: table.count]
            engine.splat(0, table.particles, self._tree, values, self._w, self._area)
        else:
            for first, rows in self._chunks():
                self._draw_and_splat(table.particles, rows, first, map)
        empty = indices(self._area, 0)
        if len(empty):  # where particles were merged, or where they are few: a pixel without any would have no noise
            rows = self._spawn(self._place_leaves(empty, self.frame_index))
            particles = Particles._make([column[rows] for column in table.particles])
            self._draw_and_splat(particles, torch.arange(len(rows), device=engine.device), 0, map)
        noise = torch.empty(self.shape, device=engine.device)
        blocks = (self._pixels + engine.block - 1) // engine.block
        arguments = (engine.block, self._w, self._area, noise.view(self.shape[0], -1))
        engine.run(normalize, blocks, *arguments, cost=engine.block * (1 + self.shape[0] // 4))
        return noise.to(self.device)

    def _draw_and_splat(self, particles: Particles, rows: Tensor, first: int, map_: int) -> None:
        """Adds successive particles, from row ``first`` on, whose values are not stored."""
        values = torch.empty((len(rows), self.shape[0]), device=self._engine.device)
        self._draw(particles, rows, first, map_, values)
        self._engine.splat(first, particles, self._tree, values, self._w, self._area)

    def _chunks(self) -> Iterator[tuple[int, Tensor]]:
        """Yields the rows of the table in chunks: the first row of a chunk, and all of its rows."""
        for first in range(0, self._table.count, CHUNK):
            yield first, torch.arange(first, min(first + CHUNK, self._table.count), device=self._engine.device)

    def _stores(self, map_: int) -> bool:
        """Whether a map's values are stored from step to step, which they are if memory suffices."""
        table, channels = self._table, self.shape[0]
        if map_ not in table.values:
            if self.bytes + table.capacity * channels * 4 > self.memory:
                return False
            table.values[map_] = torch.empty((table.capacity, channels), device=table.device)
            for _, rows in self._chunks():
                self._draw(table.particles, rows, 0, map_, table.values[map_])
        return True
