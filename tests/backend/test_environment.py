"""What the package sets for torch before it is imported, unless the user has."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CODE = "import os, warpnoise; print(*(os.environ.get(n) for n in ('GOMP_SPINCOUNT', 'THP_MEM_ALLOC_ENABLE')))"


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, "20000 1"),
        ({"GOMP_SPINCOUNT": "7", "THP_MEM_ALLOC_ENABLE": "0"}, "7 0"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "None 1"),
    ],
)
def test_the_users_environment_wins(given: dict[str, str], found: str) -> None:
    set_here = ("GOMP_SPINCOUNT", "THP_MEM_ALLOC_ENABLE", "OMP_WAIT_POLICY")
    environment = {name: value for name, value in os.environ.items() if name not in set_here} | given
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == found
