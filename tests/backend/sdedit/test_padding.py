from __future__ import annotations

import numpy as np
import pytest
import torch
from warpnoise.sdedit.padding import pad_to, round_up


@pytest.mark.parametrize(("size", "multiple", "expected"), [(1, 8, 8), (8, 8, 8), (9, 8, 16), (255, 16, 256)])
def test_round_up(size: int, multiple: int, expected: int) -> None:
    assert round_up(size, multiple) == expected


@pytest.mark.parametrize(("old", "new"), [((5, 7), (8, 8)), ((2, 3), (9, 11)), ((1, 1), (4, 4)), ((4, 4), (4, 4))])
def test_padding_is_numpys_reflection(old: tuple[int, int], new: tuple[int, int]) -> None:
    array = np.random.default_rng(0).random((2, 3, *old), dtype=np.float32)
    expected = np.pad(array, ((0, 0), (0, 0), (0, new[0] - old[0]), (0, new[1] - old[1])), mode="reflect")
    np.testing.assert_array_equal(pad_to(torch.from_numpy(array), *new).numpy(), expected)


def test_padding_does_not_crop() -> None:
    with pytest.raises(ValueError, match="cannot pad 4 x 4 to the smaller size 3 x 8"):
        pad_to(torch.zeros(1, 4, 4), 3, 8)
