"""A few of the cases of ``make fuzz``, of another seed."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from .cases import CLEAN, cases, unclean
from .run import Gauge


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


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its peak of memory")
def test_the_gauge_sees_memory_that_was_given_back() -> None:
    for _ in range(2):
        with Gauge() as gauge:
            taken = np.ones(100 << 20, np.uint8)
            del taken
        assert 95 << 20 < gauge.taken < 130 << 20
    with Gauge() as gauge:
        pass
    assert gauge.taken < 5 << 20
