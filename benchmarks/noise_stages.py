"""How a step of the warped noise divides among its kernels.

    OMP_NUM_THREADS=1 python benchmarks/noise_stages.py [--size 128] [--channels 16] [--repeats 16] [--motions pan ...]

Each kernel's CPU time in a step, median over the frames, in milliseconds. "table" is what a step takes besides.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import Counter
from typing import Any

import torch
from noise_step import WARM_UP, interpolate, shot
from warpnoise.noise import make_noise
from warpnoise.noise.engine import CpuEngine


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
    for stage in dict.fromkeys(stage for medians_ in times.values() for stage in medians_):
        print(f"{stage:>18}" + "".join(f"{found.get(stage, 0.0):10.2f}" for found in times.values()))


def medians(name: str, shape: tuple[int, int, int], repeats: int) -> dict[str, float]:
    """Milliseconds of each stage of a step of a shot."""
    noise, reference, steps = make_noise("warped", shape), interpolate(shape, torch.device("cpu")), []
    for motion in shot(name, shape[1], repeats + WARM_UP):
        taken: Counter[str] = Counter()
        start = time.process_time()
        reference(motion)
        taken["grid_sample"] = time.process_time() - start
        start = time.process_time()
        with counting(taken):
            noise.advance(motion)
        taken["table"] = time.process_time() - start - (sum(taken.values()) - taken["grid_sample"])
        steps.append(taken)
    stages = dict.fromkeys(stage for step in steps for stage in step)
    return {stage: 1000 * statistics.median(step[stage] for step in steps[WARM_UP:]) for stage in stages}


class counting:
    """Adds the time of each kernel to a counter."""

    def __init__(self, taken: Counter[str]) -> None:
        self.taken, self.originals = taken, (CpuEngine.run, CpuEngine.splat)

    def __enter__(self) -> None:
        run, splat = self.originals
        CpuEngine.run = lambda engine, kernel, *a, **b: self.timed(kernel.name, run, engine, kernel, *a, **b)  # type: ignore[method-assign]
        CpuEngine.splat = lambda engine, *a: self.timed("splat", splat, engine, *a)  # type: ignore[method-assign]

    def timed(self, name: str, call: Any, *arguments: Any, **options: Any) -> None:
        start = time.process_time()
        call(*arguments, **options)
        self.taken[name] += time.process_time() - start

    def __exit__(self, *_: object) -> None:
        CpuEngine.run, CpuEngine.splat = self.originals  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
