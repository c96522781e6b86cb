"""The seed and the motion determine every bit, with any number of threads."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import Tensor
from warpnoise.noise import WarpedNoise, engine
from warpnoise.noise.kernels.compile import kernel
from warpnoise.noise.kernels.types import Array

from .planes import WAYS

LARGE = 96  # 147456 particles, so several threads run


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def run(name: str, size: int, frames: int, seed: int = 9) -> list[Tensor]:
    """Both maps of the last frame. A step has the motion of four frames, so that many particles change in each."""
    way = WAYS[name](size)
    noise = WarpedNoise((6, size, size), seed=seed, maps=2)
    for t in range(frames):
        noise.advance(way.motion(4 * t, 4 * t + 4))
    return [noise.frame(0), noise.frame(1)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pan", "zoom in", "zoom out"])
def test_the_same_bits_on_any_number_of_threads(name: str) -> None:
    results = []
    for count in (1, 2, 2, 3):
        with torch_threads(count):
            results.append(run(name, LARGE, 4))
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


@kernel
def count_up(n: int, seen: Array) -> None:
    seen[n] += 1


@pytest.mark.parametrize(("particles", "threads"), [(1, 1), (engine.WORTH_A_THREAD, 1), (1 << 20, 3)])
def test_only_much_work_is_divided_among_threads(particles: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every index is run once, with any number of threads."""
    started: list[object] = []
    pool = engine._pool()
    submit = pool.submit
    monkeypatch.setattr(pool, "submit", lambda *job: started.append(job) or submit(*job))
    seen = torch.from_numpy(np.zeros(particles, np.int32))
    with torch_threads(3):
        engine.CpuEngine().run(count_up, particles, seen)
    assert 1 + len(started) == threads and bool((seen == 1).all())


def test_another_seed_and_another_map_are_independent() -> None:
    one, other = (run("pan", 48, 2, seed) for seed in (9, 10))
    for a, b in ((one[0], one[1]), (one[0], other[0]), (one[1], other[0])):
        assert abs((a * b).mean().item()) < 4 / a.numel() ** 0.5


@pytest.mark.slow
def test_plain_python_gives_the_bits_of_the_machine_code() -> None:
    """Numba compiles what Python computes, so the kernels can be debugged as Python."""
    script = (
        "from tests.backend.noise.test_repeatability import run; "
        "frames = [frame for name in ('zoom in', 'zoom out') for frame in run(name, 4, 2)]; "
        "print(*[frame.numpy().tobytes().hex() for frame in frames])"
    )
    results = []
    for off in ("0", "1"):
        environment = os.environ | {"NUMBA_DISABLE_JIT": off}
        command = [sys.executable, "-W", "ignore", "-c", script]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        results.append(done.stdout)
    assert results[0] == results[1] and len(results[0]) > 3000
