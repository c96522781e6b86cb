"""The closed-form tests run once for every engine that the machine has."""

from __future__ import annotations

import importlib.util
import os

import pytest
import torch

CLOSED_FORM = {"test_principles", "test_white", "test_fidelity", "test_occlusion_memory", "test_any_grid"}

HAS_NUMBA_CUDA = importlib.util.find_spec("numba_cuda") is not None
SIMULATED = HAS_NUMBA_CUDA and os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"
ON_GPU = HAS_NUMBA_CUDA and torch.cuda.is_available() and not SIMULATED


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.module.__name__.rpartition(".")[2] in CLOSED_FORM:
        engines = ["cuda"] if SIMULATED else ["cpu", *(["cuda"] if ON_GPU else [])]
        metafunc.parametrize("chosen_engine", engines, indirect=True)


@pytest.fixture(autouse=True)
def chosen_engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine that makes the noise, which is then copied to the CPU."""
    if getattr(request, "param", "cpu") == "cuda":
        from warpnoise.noise import warped
        from warpnoise.noise.cuda import CudaEngine

        engine = CudaEngine(torch.device("cpu" if SIMULATED else "cuda"))
        monkeypatch.setattr(warped, "engine_for", lambda device, name: engine)
