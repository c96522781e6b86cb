"""The table of particles fills holes first, bounds the number of occluded particles, and drops the oldest first."""

from __future__ import annotations

import torch
from warpnoise.noise.kernels.types import DEAD, OCCLUDED, VISIBLE, Occlusion
from warpnoise.noise.table import ParticleTable

CPU = torch.device("cpu")


def table_of(*names: int) -> ParticleTable:
    """A table of visible particles, whose column ``ix`` is their name."""
    table = ParticleTable(CPU)
    add(table, *names)
    return table


def add(table: ParticleTable, *names: int, state: int = VISIBLE) -> torch.Tensor:
    rows = table.add(len(names))
    table.particles.ix[rows] = torch.tensor(names, dtype=torch.int32)
    table.particles.state[rows] = state
    return rows


def occlude(table: ParticleTable, *names: int, most: int = 100) -> None:
    rows = add(table, *names, state=OCCLUDED)
    first = table.add_occluded(rows, most)
    number, entries = torch.tensor(names), table.occluded
    entries.x[first:], entries.y[first:], entries.depth[first:] = (number.float() for _ in range(3))
    entries.slope[first:], entries.group[first:] = number.float()[:, None], number.int()


def names(table: ParticleTable, state: int) -> list[int]:
    return sorted(table.particles.ix[table.rows_in(state)].tolist())


def occluded(table: ParticleTable) -> list[int]:
    """Occluded particles, by their entries; every column must agree with the row."""
    held = Occlusion(*(column[table.occluded.row >= 0] for column in table.occluded))
    found = table.particles.ix[held.row]
    assert all(torch.equal(column, found.float()) for column in (held.x, held.y, held.depth, held.slope[:, 1]))
    assert torch.equal(held.group, found)
    assert sorted(found.tolist()) == names(table, OCCLUDED)
    return [int(name) for name in found]


def kill(table: ParticleTable, *chosen: int) -> None:
    dead = torch.isin(table.particles.ix, torch.tensor(chosen, dtype=torch.int32))
    table.particles.state[dead] = DEAD
    entries = table.occluded.row
    entries[(entries >= 0) & dead[entries.clamp(min=0)]] = -1
    table.find_holes()


def test_new_particles_fill_holes_first() -> None:
    table = table_of(1, 2, 3, 4)
    kill(table, 2, 3)
    assert add(table, 5, 6, 7).tolist() == [1, 2, 4]
    assert table.count == 5 and names(table, VISIBLE) == [1, 4, 5, 6, 7]


def test_rows_not_yet_set_are_dead() -> None:
    table = table_of(1)
    table.add(3)
    assert table.number_of(VISIBLE) == 1 and table.number_of(DEAD) == 3


def test_the_oldest_occluded_particles_make_room() -> None:
    table = table_of(1)
    occlude(table, 2, 3, 4, most=5)
    occlude(table, 5, 6, most=5)
    assert occluded(table) == [2, 3, 4, 5, 6]
    occlude(table, 7, 8, most=5)
    assert occluded(table) == [4, 5, 6, 7, 8]
    occlude(table, *range(10, 18), most=5)
    assert occluded(table) == [13, 14, 15, 16, 17]
    assert names(table, VISIBLE) == [1]


def test_the_oldest_go_first_among_gaps() -> None:
    table = table_of()
    occlude(table, 1, 2, 3, 4, most=6)
    kill(table, 2)
    occlude(table, 5, 6, 7, most=6)
    assert occluded(table) == [1, 3, 4, 5, 6, 7]
    occlude(table, 8, most=6)
    assert occluded(table) == [3, 4, 5, 6, 7, 8]


def test_gaps_do_not_make_the_table_grow() -> None:
    """Hundreds of particles become occluded and visible again, while few stay occluded."""
    table = table_of()
    occlude(table, 1, 2, 3)
    for turn in range(50):
        came = range(10 * turn + 10, 10 * turn + 14)
        occlude(table, *came)
        kill(table, *came)
        assert occluded(table) == [1, 2, 3]
    assert table.occluded_count <= 10 and table.count <= 7


def test_a_limit_of_zero_keeps_no_occluded_particles() -> None:
    table = table_of(1)
    occlude(table, 2, 3, most=0)
    assert occluded(table) == [] and names(table, VISIBLE) == [1]
