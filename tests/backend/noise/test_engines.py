"""The CUDA engine makes the same noise as the CPU engine, on a GPU and in numba-cuda's simulator.

`NUMBA_ENABLE_CUDASIM=1 pytest tests/backend/noise/test_engines.py` chooses the simulator, which runs threads in Python.
"""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from warpnoise.noise import Motion, WarpedNoise
from warpnoise.noise.kernels.types import OCCLUDED, VISIBLE

from .cards import Card, motion, shift, turn
from .conftest import ON_GPU, SIMULATED
from .planes import WAYS, count

DEVICE = "cuda" if ON_GPU else "cpu"
SIZE = 24 if ON_GPU else 6
FRAMES = 12 if ON_GPU else 3
SPEED = {"zoom in": 20, "zoom out": 20}
"""Frames of the motion per step, so that particles split and merge within a few steps."""

needs_cuda = pytest.mark.skipif(not (ON_GPU or SIMULATED), reason="needs numba-cuda with a GPU or its simulator")


def both(channels: int, maps: int = 1, **options: float) -> tuple[WarpedNoise, WarpedNoise]:
    ours = WarpedNoise((channels, SIZE, SIZE), seed=1, maps=maps, engine="cpu", **options)  # type: ignore[arg-type]
    return ours, WarpedNoise((channels, SIZE, SIZE), 1, DEVICE, maps, engine="cuda", **options)  # type: ignore[arg-type]


def assert_same(cpu: WarpedNoise, cuda: WarpedNoise, map_: int = 0) -> None:
    assert torch.equal(cpu.frame(map_), cuda.frame(map_).cpu())
    assert all(count(cpu, state) == count(cuda, state) for state in (VISIBLE, OCCLUDED))


@needs_cuda
@pytest.mark.parametrize("name", WAYS)
def test_cpu_and_cuda_agree(name: str) -> None:
    way, speed = WAYS[name](SIZE), SPEED.get(name, 2)
    cpu, cuda = both(5, maps=2)
    for t in range(FRAMES):
        step = way.motion(speed * t, speed * t + speed)
        cpu.advance(step)
        cuda.advance(step)
        assert_same(cpu, cuda)
    assert_same(cpu, cuda, 1)


@needs_cuda
@pytest.mark.parametrize("occluded", [1.0, 0.1])
def test_cpu_and_cuda_agree_on_spawned_and_occluded_particles(occluded: float) -> None:
    """Rigid surfaces that occlude each other, leave the frame and come back; the camera turns and comes near."""
    middle, scale = (SIZE - 1) / 2, SIZE / 24

    def camera(t: float) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        return turn(6 * min(t, FRAMES - t), middle, middle) @ np.diag([1 + 0.05 * t, 1 + 0.05 * t, 1])

    cards = [
        Card(0, 0.0, camera),
        Card(5, 0.1, lambda t: camera(t) @ shift(2 * scale * t, 0.4), (-3.0 * scale, 6 * scale, 6 * scale, 17 * scale)),
        Card(9, 0.3, camera, (8.5 * scale, 2.5 * scale, 14.5 * scale, 20.5 * scale)),
    ]
    cpu, cuda = both(2, occluded=occluded)
    most = 0
    for t in range(FRAMES):
        step = motion(cards, t, t + 1, SIZE)
        cpu.advance(step)
        cuda.advance(step)
        assert_same(cpu, cuda)
        most = max(most, count(cpu, OCCLUDED))
    assert most > 0


@needs_cuda
def test_cpu_and_cuda_agree_where_the_motion_is_unknown() -> None:
    cpu, cuda = both(2)
    unknown = np.full((SIZE, SIZE, 2), np.nan, np.float32)
    for noise in (cpu, cuda):
        noise.advance(Motion(unknown, unknown))
    assert_same(cpu, cuda)


@needs_cuda
def test_cpu_and_cuda_agree_on_values_that_are_not_stored() -> None:
    cpu, cuda = both(5, memory=0)
    for noise in (cpu, cuda):
        noise.advance(WAYS["zoom in"](SIZE).motion(0, 20))
    assert_same(cpu, cuda)


@pytest.mark.parametrize("name", ["zoom in", "zoom out"])
def test_stored_values_equal_those_drawn_later(name: str) -> None:
    """Splitting and merging lose no bit: values drawn in each frame equal those stored since the first."""
    way = WAYS[name](24)
    stored, drawn = WarpedNoise((4, 24, 24), seed=1), WarpedNoise((4, 24, 24), seed=1, memory=0)
    for t in range(12):
        step = way.motion(6 * t, 6 * t + 6)
        assert stored.advance(step).equal(drawn.advance(step))


def test_an_engine_that_cannot_run_is_an_error() -> None:
    device = "meta" if SIMULATED else "cpu"
    with pytest.raises(RuntimeError, match="engine 'cuda' cannot run on device"):
        WarpedNoise((1, 8, 8), device=device, engine="cuda")


def test_without_numba_cuda_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba_cuda", None)
    with pytest.raises(RuntimeError, match=r"numba-cuda is not installed; pip install warpnoise\[cuda\]"):
        WarpedNoise((1, 8, 8), engine="cuda")
