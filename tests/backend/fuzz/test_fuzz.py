"""A few of the cases of ``make fuzz``, of another seed."""

from __future__ import annotations

from pathlib import Path

import pytest

from .cases import CLEAN, cases, unclean


@pytest.mark.parametrize(
    ("kind", "count"), [("exr", 60), ("png", 40), ("json", 60), pytest.param("model", 30, marks=pytest.mark.slow)]
)
@pytest.mark.filterwarnings("ignore")
def test_damaged_files_get_clean_errors(kind: str, count: int, tmp_path: Path) -> None:
    refused = 0
    for case in cases(kind, count, 1, tmp_path):
        try:
            case.read()
        except CLEAN as error:
            refused += 1
            assert not unclean(error), case.name
        except Exception as error:
            pytest.fail(f"{case.name}: {type(error).__name__}: {error}")
    assert refused > count // 4, "hardly anything was damaged"
