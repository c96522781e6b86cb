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
    expected = atoms(*held.code.tolist())
    for column, wanted in zip(held, expected, strict=True):
        assert torch.equal(column, wanted)
    assert table.count == len(held.x)
    return held.code.tolist()


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


def test_blocks_do_not_spoil_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("warpnoise.noise.hidden_table.BLOCK", 3)
    table = HiddenTable(CPU, most=12)
    table.add(atoms(*range(12)))
    table.keep(torch.tensor([name % 4 != 1 for name in range(12)]))
    assert names(table) == [0, 2, 3, 4, 6, 7, 8, 10, 11]
    table.add(atoms(20, 21, 22, 23, 24))
    assert names(table) == [3, 4, 6, 7, 8, 10, 11, 20, 21, 22, 23, 24]


def test_those_that_stay_keep_their_order() -> None:
    table = HiddenTable(CPU, most=100)
    table.add(atoms(*range(8)))
    table.keep(torch.tensor([False, True, True, False, False, True, False, True]))
    assert names(table) == [1, 2, 5, 7]
    table.add(atoms(8))
    table.keep(torch.zeros(5, dtype=torch.bool))
    assert names(table) == []


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
