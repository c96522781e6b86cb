"""The table of hidden atoms: oldest first, bounded, changed in place."""

from __future__ import annotations

import pytest
import torch
from warpnoise.noise.hidden_table import HiddenTable
from warpnoise.noise.table import HIDDEN_BYTES, HiddenAtoms

CPU = torch.device("cpu")


def atoms(*names: int) -> HiddenAtoms:
    """Atoms whose columns all tell which they are."""
    floats, integers = torch.tensor(names, dtype=torch.float32), torch.tensor(names, dtype=torch.int32)
    return HiddenAtoms(
        floats,
        floats + 0.25,
        floats + 0.5,
        floats[:, None].expand(-1, 6),
        integers % 2 == 1,
        integers,
        integers,
        integers,
    )


def names(table: HiddenTable) -> list[int]:
    """Which atoms the table holds; every column must agree."""
    held = table.atoms
    held = held.at(~torch.isnan(held.d))
    expected = atoms(*held.code.tolist())
    for column, wanted in zip(held, expected, strict=True):
        assert torch.equal(column, wanted)
    assert table.count == len(held.x)
    return sorted(held.code.tolist())


def keep(table: HiddenTable, chosen: set[int]) -> None:
    held = table.atoms
    named = torch.tensor([code in chosen for code in held.code.tolist()], dtype=torch.bool)
    table.keep(named & ~torch.isnan(held.d))


def test_the_oldest_make_room() -> None:
    table = HiddenTable(CPU, most=5)
    assert names(table) == []
    table.add(atoms(1, 2, 3))
    table.add(atoms(4, 5))
    assert names(table) == [1, 2, 3, 4, 5]
    table.add(atoms(6, 7))
    assert names(table) == [3, 4, 5, 6, 7]
    table.add(atoms(*range(10, 18)))
    assert names(table) == [13, 14, 15, 16, 17]
    assert table.bytes == 5 * HIDDEN_BYTES


def test_gaps_are_filled_and_the_oldest_still_go_first() -> None:
    table = HiddenTable(CPU, most=6)
    table.add(atoms(1, 2, 3))
    table.add(atoms(4, 5, 6))
    keep(table, {1, 3, 4, 6})
    assert names(table) == [1, 3, 4, 6]
    table.add(atoms(7, 8))  # where 2 and 5 were
    assert names(table) == [1, 3, 4, 6, 7, 8]
    assert len(table.atoms.x) == 6
    table.add(atoms(9))
    assert names(table) == [3, 4, 6, 7, 8, 9]
    table.add(atoms(10, 11))
    assert names(table) == [6, 7, 8, 9, 10, 11]
    keep(table, {6, 11})
    table.add(atoms(12, 13, 14, 15, 16))
    assert names(table) == [11, 12, 13, 14, 15, 16]


def test_what_comes_and_goes_takes_no_more_rows() -> None:
    """Atoms that come back into sight and are hidden again, over and over, do not push out those that stay hidden."""
    table = HiddenTable(CPU, most=8)
    table.add(atoms(1, 2, 3))
    for turn in range(10):
        table.add(atoms(*range(10 * turn + 10, 10 * turn + 14)))
        keep(table, {1, 2, 3})
    assert names(table) == [1, 2, 3]
    assert len(table.atoms.x) == 7


def test_an_empty_table_begins_anew() -> None:
    table = HiddenTable(CPU, most=100)
    table.add(atoms(*range(8)))
    keep(table, set())
    assert names(table) == [] and len(table.atoms.x) == 0
    table.add(atoms(8))
    assert names(table) == [8]


@pytest.mark.parametrize("most", [0, 1])
def test_small_limits(most: int) -> None:
    table = HiddenTable(CPU, most)
    table.add(atoms())
    table.add(atoms(1, 2))
    assert names(table) == [2][:most]


def test_the_views_can_be_written() -> None:
    table = HiddenTable(CPU, most=10)
    table.add(atoms(1, 2))
    table.atoms.cell.fill_(9)
    table.add(atoms(3))
    assert table.atoms.cell.tolist() == [9, 9, 3]
