"""How a step of the warped noise divides among its kernels.

    OMP_NUM_THREADS=1 python benchmarks/noise_stages.py [--size 128] [--channels 16] [--repeats 16] [--motions pan ...]

CPU time of each kernel in a step, in milliseconds: the median over the frames. "table" is what a step takes besides.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from noise_step import WARM_UP, interpolate, shot
from warpnoise.noise import make_noise
from warpnoise.noise.engine import CpuEngine
from warpnoise.noise.kernels.compile import Kernel


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=16)
    parser.add_argument("--motions", nargs="+", default=["pan", "zoom out", "scene"])
    arguments = parser.parse_args()
    shape = (arguments.channels, arguments.size, arguments.size)
    times = {name: medians(name, shape, arguments.repeats) for name in arguments.motions}
    print(f"{'stage':>18}" + "".join(f"{name:>10}" for name in times))
    for stage in dict.fromkeys(stage for found in times.values() for stage in found):
        print(f"{stage:>18}" + "".join(f"{found.get(stage, 0.0):10.2f}" for found in times.values()))


def medians(name: str, shape: tuple[int, int, int], repeats: int) -> dict[str, float]:
    """Milliseconds of each stage of a step of a shot."""
    noise, reference, steps = make_noise("warped", shape), interpolate(shape, torch.device("cpu")), []
    for motion in shot(name, shape[1], repeats + WARM_UP):
        taken: dict[str, float] = {}
        with timed(taken, "grid_sample"):
            reference(motion)
        kernels: dict[str, float] = {}
        with timed(taken, "step"), kernels_timed(kernels):
            noise.advance(motion)
        steps.append(taken | kernels | {"table": taken["step"] - sum(kernels.values())})
    stages = dict.fromkeys(stage for step in steps for stage in step)
    return {stage: 1000 * statistics.median(step.get(stage, 0.0) for step in steps[WARM_UP:]) for stage in stages}


@contextmanager
def timed(taken: dict[str, float], name: str) -> Iterator[None]:
    start = time.process_time()
    yield
    taken[name] = taken.get(name, 0.0) + time.process_time() - start


@contextmanager
def kernels_timed(taken: dict[str, float]) -> Iterator[None]:
    original, original_splat = CpuEngine.run, CpuEngine.splat

    def run(engine: CpuEngine, kernel: Kernel, *records: Any, cost: int = 1) -> None:
        with timed(taken, kernel.name):
            original(engine, kernel, *records, cost=cost)

    def splat(engine: CpuEngine, *records: Any) -> None:
        with timed(taken, "splat"):
            original_splat(engine, *records)

    with patch.object(CpuEngine, "run", run), patch.object(CpuEngine, "splat", splat):
        yield


if __name__ == "__main__":
    main()
