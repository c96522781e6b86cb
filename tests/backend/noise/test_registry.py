"""The registry of noise methods: every entry loads, and reading it costs no torch."""

from __future__ import annotations

import subprocess
import sys

import pytest
from warpnoise.noise import METHODS, NoiseMethod, WarpedNoise


@pytest.mark.parametrize("name", METHODS)
def test_every_entry_loads_a_noise_method(name: str) -> None:
    info = METHODS[name]
    assert info.name == name and info.label and info.description.endswith(".")
    assert issubclass(info.load(), NoiseMethod)


def test_the_default_is_warped() -> None:
    assert METHODS[next(iter(METHODS))].load() is WarpedNoise


def test_reading_the_registry_imports_neither_torch_nor_numba() -> None:
    script = "import sys; from warpnoise.noise.methods import METHODS; print({'torch', 'numba'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


def test_an_unknown_attribute_is_an_error() -> None:
    import warpnoise.noise

    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        warpnoise.noise.Nothing  # noqa: B018
