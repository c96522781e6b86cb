"""The fast engine on a CPU: what `reference` does, compiled by Numba, on all of torch's threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .cover import leaf_order, pixels_near
from .follow import GONE, HIDDEN, LARGE, SEEN
from .kernels import birth, calm, cover, move
from .kernels import halves as kernels_halves
from .kernels import hidden as kernels_hidden
from .kernels import rigid as kernels_rigid
from .kernels import sums as kernels_sums
from .kernels import values as kernels_values
from .kernels.sampling import Scale
from .passage import Passage, wants_calm
from .pyramid import Pyramid
from .split import Halves
from .table import Atoms, AtomTable, HiddenAtoms, no_hidden

CHUNK = 1 << 20  # halves that are sorted at a time
WORTH_A_THREAD = 1 << 15  # items: on a busy machine waiting for a thread takes longer than doing so few


@contextmanager
def threads(items: int) -> Iterator[int]:
    """As many of Numba's threads as torch uses inside the block, or fewer if there is little to do."""
    of_torch, before = torch.get_num_threads(), numba.get_num_threads()
    count = max(1, min(of_torch, numba.config.NUMBA_NUM_THREADS, items // WORTH_A_THREAD))
    numba.set_num_threads(count)
    try:
        yield count
    finally:
        numba.set_num_threads(before)
        # Numba starts its threads with all cores, and on Linux shares OpenMP, and so that number, with torch.
        if torch.get_num_threads() != of_torch:
            torch.set_num_threads(of_torch)


def find_calm(passage: Passage) -> Passage:
    if not wants_calm(passage):
        return passage
    h, w = passage.start.shape
    good = np.empty((h, w), np.bool_)
    marks = np.zeros((h, w), np.bool_)
    with threads(h * w):
        calm.mark_returning(*_fields(passage), good)
        calm.mark_calm(passage.start.numpy(), passage.route.numpy(), good, marks)
    return replace(passage, calm=torch.from_numpy(marks))


def move_atoms(passage: Passage, table: AtomTable, pyramid: Pyramid) -> tuple[Tensor, Tensor]:
    status = np.empty(table.count, np.int8)
    occupied = np.zeros(pyramid.height * pyramid.width, np.bool_)
    atoms = (
        *(column.numpy() for column in table.atoms),
        table.cell_rows.numpy(),
        _measures(pyramid),
        _cells_level(table, pyramid),
        np.uint64(pyramid.seed_word),
        np.float32(pyramid.least_split),
    )
    with threads(table.count):
        if passage.calm.numel():
            there, _, _, _, depth, _, matrices, route, scale = _fields(passage)
            move.move_calm(there, depth, matrices, route, passage.calm.numpy(), scale, *atoms, status, occupied)
            rows = np.flatnonzero(status == move.LATER)
        else:
            rows = np.arange(table.count)
    with threads(4 * len(rows)):
        move.move_others(*_fields(passage), *atoms, rows, status, occupied)
    return torch.from_numpy(status), torch.from_numpy(occupied)


def uncovered(behind: Passage, pyramid: Pyramid, frame: int) -> Tensor:
    masks = np.empty(pyramid.height * pyramid.width, np.int64)
    leaf_x, leaf_y = _leaf_places(pyramid.atoms)
    level = pyramid.pixel_level + pyramid.depth
    seed = np.uint64(pyramid.seed_word)
    with threads(len(masks) * 4):
        birth.uncovered(*_fields(behind), behind.calm.numpy(), leaf_x, leaf_y, pyramid.atoms, seed, frame, level, masks)
    return torch.from_numpy(masks)


def without_covered(
    passage: Passage,
    table: AtomTable,
    pyramid: Pyramid,
    masks: Tensor,
    frame: int,
    status: Tensor,
    new: list[Atoms],
    hidden: HiddenAtoms,
) -> Tensor:
    side = pyramid.atoms
    covered = np.zeros(len(masks) * side * side, np.bool_)
    near = pixels_near(pyramid, masks).numpy()
    order = leaf_order(pyramid, masks.device).numpy()
    cells, _, seed, halvings, leaves, _ = _tree(table, pyramid)
    pixels = np.flatnonzero(masks.numpy())
    slots = np.empty(len(masks), np.int32)
    points = np.empty((len(pixels), side, side, 2), np.float32)
    with threads(len(pixels) * side * side):
        cover.place_leaves(pixels, seed, halvings, leaves, frame, pyramid.width, slots, points)
    open_leaves = (cells, seed, halvings, leaves, order, slots, points)
    ends = (passage.end.numpy(), passage.depth_end[..., None].numpy(), _scale(passage))
    none = (np.empty(0, np.float32), np.empty(0, np.bool_), np.empty(0, np.int32))
    groups: list[tuple[Any, ...]] = [(*table.atoms, status, *none)]
    groups += [(*atoms, np.empty(0, np.int8), *none) for atoms in new if len(atoms.x)]
    h = hidden
    if len(h.x):
        groups.append((h.x, h.y, h.stretch, h.cell, h.code, np.empty(0, np.int8), h.d, h.behind, h.surface))
    result = masks.clone()
    for group in groups:
        arrays = [column.contiguous().numpy() if isinstance(column, Tensor) else column for column in group]
        with threads(len(arrays[0])):
            cover.mark_covered(*arrays, *open_leaves, *ends, near, masks.numpy(), covered)
    with threads(len(masks)):
        cover.without(result.numpy(), covered, side * side)
    return result


def deviations(passage: Passage) -> tuple[Tensor, Tensor]:
    which, off = np.empty(passage.start.shape, np.int64), np.empty(passage.start.shape, np.float64)
    there, _, start, _, depth, *_ = _fields(passage)
    with threads(which.size):
        kernels_rigid.measure_deviations(
            there, start, depth, passage.surfaces.numpy(), passage.matrices.numpy(), which, off
        )
    return torch.from_numpy(which), torch.from_numpy(off)


def hide(passage: Passage, atoms: Atoms) -> HiddenAtoms:
    count = len(atoms.x)
    if not count:
        return no_hidden(atoms.x.device)
    new, sane = _unset_hidden(count), np.empty(count, np.bool_)
    _, _, start, _, depth, _, matrices, route, scale = _fields(passage)
    x, y, stretch = (column.numpy() for column in atoms[:3])
    with threads(4 * count):
        kernels_hidden.hide(start, depth, matrices, route, scale, x, y, stretch, *_arrays(new), sane)
    return new._replace(cell=atoms.cell, code=atoms.code).at(torch.from_numpy(sane))


def beside(passage: Passage, atoms: Atoms, x: Tensor, y: Tensor) -> HiddenAtoms:
    count = len(atoms.x)
    if not count:
        return no_hidden(atoms.x.device)
    new, known = _unset_hidden(count), np.empty(count, np.bool_)
    _, _, _, end, _, depth, *_, scale = _fields(passage)
    surfaces, trusted = passage.surfaces.numpy(), passage.trusted.numpy()
    points = (column.contiguous().numpy() for column in (*atoms[:3], x, y))
    _, _, d, stretch, _, surface = _arrays(new)
    with threads(4 * count):
        kernels_hidden.beside(end, depth, surfaces, trusted, scale, *points, d, stretch, surface, known)
    new.behind.zero_()
    return new._replace(x=atoms.x, y=atoms.y, cell=atoms.cell, code=atoms.code).at(torch.from_numpy(known))


def _unset_hidden(count: int) -> HiddenAtoms:
    """Hidden atoms whose places are not set."""
    return HiddenAtoms(*(column.new_empty((count, *column.shape[1:])) for column in no_hidden(torch.device("cpu"))))


def _arrays(hidden: HiddenAtoms) -> tuple[NDArray[Any], ...]:
    """Place, stretch, side and surface of hidden atoms, in their order."""
    return tuple(column.numpy() for column in hidden[:6])


def follow_hidden(passage: Passage, hidden: HiddenAtoms) -> Tensor:
    status = np.empty(len(hidden.x), np.int8)
    p = passage
    with threads(len(status)):
        kernels_hidden.follow_hidden(
            *(array.numpy() for array in (p.end, p.depth_end[..., None], p.surfaces, p.matrices, p.trusted)),
            _scale(p),
            *_arrays(hidden),
            status,
        )
    return torch.from_numpy(status)


def born(pyramid: Pyramid, frame: int, pixels: Tensor, masks: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    side = pyramid.atoms
    words = masks.numpy()
    bits = np.unpackbits(words.view(np.uint8).reshape(len(words), 8), axis=1).sum(axis=1, dtype=np.int64)
    first = np.cumsum(bits) - bits
    count = int(bits.sum())
    x, y = np.empty(count, np.float32), np.empty(count, np.float32)
    place, code = np.empty(count, np.int32), np.empty(count, np.int32)
    leaf_x, leaf_y = _leaf_places(side)
    level = pyramid.pixel_level + pyramid.depth
    seed = np.uint64(pyramid.seed_word)
    with threads(count):
        birth.leaf_points(
            pixels.numpy(),
            words,
            first,
            leaf_x,
            leaf_y,
            pyramid.width,
            side,
            seed,
            frame,
            level,
            x,
            y,
            place,
            code,
        )
    return (
        torch.from_numpy(x),
        torch.from_numpy(y),
        torch.from_numpy(place),
        torch.from_numpy(code),
    )


def split(passage: Passage, table: AtomTable, pyramid: Pyramid, atoms: Atoms) -> Halves:
    count = len(atoms.x)
    if not count:
        return Halves(atoms.code, atoms, torch.empty(0, dtype=torch.int64), atoms, atoms.x, atoms.y)
    counts, kept = np.empty((count, 2), np.int64), np.empty(count, np.int32)
    columns = [column.contiguous().numpy() for column in atoms]
    arguments = (*columns, *_tree(table, pyramid), passage.end.numpy(), _scale(passage), counts)
    with threads(4 * count):
        kernels_halves.split_atoms(
            *arguments, np.empty((0, 2), np.int64), kept, np.empty((0, 2), np.int32), np.empty((0, 4), np.float32)
        )
        shown, total = int(counts[:, 0].sum()), int(counts.sum())
        first = np.cumsum(counts, axis=0) - counts
        first[:, 1] += shown
        halves, places = np.empty((total, 2), np.int32), np.empty((total, 4), np.float32)
        if total:
            kernels_halves.split_atoms(*arguments, first, kept, halves, places)
    source, where = torch.from_numpy(halves[:, 0].astype(np.int64)), torch.from_numpy(places)
    parts = Atoms(where[:, 0], where[:, 1], atoms.stretch[source], atoms.cell[source], torch.from_numpy(halves[:, 1]))
    more, lost = (Atoms(*(column[some] for column in parts)) for some in (slice(shown), slice(shown, None)))
    return Halves(torch.from_numpy(kept), more, source[:shown], lost, where[shown:, 2], where[shown:, 3])


def find_halves(passage: Passage, table: AtomTable, pyramid: Pyramid) -> tuple[Tensor, Tensor]:
    x, y, stretch, cell, code = (column.numpy() for column in table.atoms)
    cells, measures, seed, halvings, leaves, least = _tree(table, pyramid)
    drawer = np.empty(table.count, np.uint8)
    with threads(table.count):
        kernels_halves.sort_small(stretch, cell, code, cells, measures, seed, least, drawer)
    found = []
    # Some drawers at a time: in a zoom out nearly all atoms are small, and sorting them takes more memory than they do.
    step = max(1, kernels_halves.DRAWERS * CHUNK // max(1, int((drawer > 0).sum())))
    for first in range(1, kernels_halves.DRAWERS + 1, step):
        rows = np.flatnonzero((drawer >= first) & (drawer < first + step))
        kept, dropped = np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)
        with threads(4 * len(rows)):
            names = np.empty(len(rows), np.uint64)
            kernels_halves.name_parents(cell, code, cells, rows, names)
            order = _sorted_by(names >> kernels_halves.BUCKET_SHIFT)
            rows, names = rows[order], names[order]
            ends = (passage.end.numpy(), _scale(passage))
            kernels_halves.pair_up(
                x, y, cell, code, cells, seed, halvings, leaves, *ends, rows, names, kept, dropped
            )  # fmt: skip
        paired = np.flatnonzero(kept >= 0)
        # In about the order of the rows, as that is how they lie in memory.
        paired = paired[_sorted_by(kept[paired] * ((1 << 16) - 1) // table.count)]
        found.append((kept[paired], dropped[paired]))
    kept, dropped = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return torch.from_numpy(kept), torch.from_numpy(dropped)


def _sorted_by(keys: NDArray[Any]) -> NDArray[Any]:
    """The order of keys below 2 ** 16, equal ones in theirs. NumPy sorts so short ones by their digits."""
    return np.argsort(keys.astype(np.uint16), kind="stable")


def refined(
    pyramid: Pyramid, table: AtomTable, cell: Tensor, code: Tensor, above: Tensor, above_rows: Tensor, map_: int
) -> Tensor:
    known = table.values[map_].numpy()
    out = np.empty((len(cell), known.shape[1]), np.float32)
    key = (np.uint64(pyramid.key[0]), np.uint64(pyramid.key[1]))
    nodes = (table.cell_rows.numpy(), *(column.numpy() for column in (cell, code, above, above_rows)))
    with threads(4 * out.size):
        kernels_values.refined_values(*nodes, known, pyramid.halvings, *key, map_, out)
    return torch.from_numpy(out)


def values(pyramid: Pyramid, table: AtomTable, rows: Tensor, channels: int, map_: int) -> Tensor:
    out = np.empty((len(rows), channels), np.float32)
    key = (np.uint64(pyramid.key[0]), np.uint64(pyramid.key[1]))
    atoms = table.columns
    cells, cell, code = table.cell_rows.numpy(), atoms.cell.numpy(), atoms.code.numpy()
    with threads(4 * out.size):
        kernels_values.node_values(cells, cell, code, rows.numpy(), pyramid.halvings, *key, map_, out)
    return torch.from_numpy(out)


def accumulate(
    table: AtomTable,
    pyramid: Pyramid,
    values: Tensor,
    first: int,
    sums: Tensor,
    total: Tensor,
) -> None:
    atoms = table.atoms
    columns = [column.numpy() for column in (atoms.x, atoms.y, atoms.cell, atoms.code, table.cell_rows)]
    with threads(values.numel() // 2) as count:
        kernels_sums.add_up(
            *columns,
            _measures(pyramid),
            _cells_level(table, pyramid),
            values.numpy(),
            pyramid.width,
            first,
            sums.numpy(),
            total.numpy(),
            count,
        )


def finish(sums: Tensor, measures: Tensor, channels: int, height: int, width: int) -> Tensor:
    out = np.empty((channels, height * width), np.float32)
    with threads(sums.numel() // 4):
        kernels_sums.divide(sums.numpy(), measures.numpy(), out)
    return torch.from_numpy(out).view(channels, height, width)


def _fields(p: Passage) -> tuple[Any, ...]:
    """What the kernels take of a passage, in their order."""
    arrays = (
        p.there,
        p.back,
        p.start,
        p.end,
        p.depth_start[..., None],
        p.depth_end[..., None],
        p.matrices,
        p.route,
    )
    return (*(array.contiguous().numpy() for array in arrays), _scale(p))


def _scale(p: Passage) -> Scale:
    scales = (
        p.scale_x,
        p.scale_y,
        p.unscale_x,
        p.unscale_y,
        p.scale_y * p.unscale_x,
        p.scale_x * p.unscale_y,
    )
    return Scale(*(np.float32(scale) for scale in scales), p.width, p.height)


def _tree(table: AtomTable, pyramid: Pyramid) -> tuple[Any, ...]:
    """What the kernels that split and join take of the tree, in their order."""
    return (
        table.cell_rows.numpy(),
        _measures(pyramid),
        np.uint64(pyramid.seed_word),
        pyramid.halvings,
        pyramid.pixel_level + pyramid.depth,
        np.float32(pyramid.least_split),
    )


def _cells_level(table: AtomTable, pyramid: Pyramid) -> int:
    """The level of all of the table's cells, or -1."""
    return pyramid.pixel_level if table.plain else -1


def _measures(pyramid: Pyramid) -> NDArray[Any]:
    """(64,) float32: the area of nodes by their level, in pixels."""
    return np.exp2(np.float32(pyramid.pixel_level) - np.arange(64, dtype=np.float32))


@lru_cache
def _leaf_places(side: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Column and row inside their pixel of the k x k leaves, in the tree's order."""
    x, y = np.zeros(side * side, np.int64), np.zeros(side * side, np.int64)
    for bit in range(side.bit_length() - 1):
        x |= ((np.arange(side * side) >> (2 * bit + 1)) & 1) << bit
        y |= ((np.arange(side * side) >> (2 * bit)) & 1) << bit
    return x, y


__all__ = [
    "GONE",
    "HIDDEN",
    "LARGE",
    "SEEN",
    "accumulate",
    "beside",
    "born",
    "deviations",
    "find_calm",
    "find_halves",
    "finish",
    "follow_hidden",
    "hide",
    "move_atoms",
    "refined",
    "split",
    "uncovered",
    "values",
    "without_covered",
]
