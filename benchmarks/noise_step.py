"""Measures a step of the warped noise, relative to interpolating the same noise and to the chained method.

    python benchmarks/noise_step.py [--size 128] [--channels 16] [--maps 21] [--repeats 20] [--device cpu] [--cpu-time]

A step is `advance`, from the motion to the next frame's noise. The reference, in turns with it, is a bilinear
`torch.nn.functional.grid_sample` of the same noise. Goals: at most 15 times that, at least 5 times faster than the
chained method, and far less than as many noises for as many maps. A turn and a zoom are one degree and one per cent a
frame; "scene" has surfaces, depth and matrices, read from the passes of a small ray-traced shot: at most 25 times.

``--cpu-time`` counts the process's CPU time on all threads: for machines on which other programs run. With one thread
(OMP_NUM_THREADS=1) it is what a step would take there alone, but for caches that it shares.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import warpnoise  # noqa: F401  before torch, whose threads else spin on the cores that the noise needs

# isort: split
import torch
from torch.nn.functional import grid_sample

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from backend.noise.planes import WAYS
from warpnoise.motion import motions
from warpnoise.noise import Motion, NoiseMethod, make_noise

from backend import synthetic

OVER_INTERPOLATION = 15.0
OVER_INTERPOLATION_SCENE = 25.0
OVER_CHAINED = 5.0
WARM_UP = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--maps", type=int, default=21)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--cpu-time", action="store_true")
    parser.add_argument("--motions", nargs="+", default=["still", "pan", "turn", "zoom in", "zoom out", "scene"])
    arguments = parser.parse_args()
    clock = time.process_time if arguments.cpu_time else time.perf_counter
    device = torch.device(arguments.device)
    shape = (arguments.channels, arguments.size, arguments.size)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(f"{shape[0]} x {shape[1]} x {shape[2]}, {torch.get_num_threads()} threads, {device}, load {load:.1f}")
    print(f"{'motion':>9}{'grid_sample ms':>16}{'warped ms':>11}{'ratio':>8}{'chained ms':>12}{'faster':>8}")
    for name in arguments.motions:
        given = list(shot(name, arguments.size, arguments.repeats + WARM_UP))
        interpolation, warped, chained = in_turns(
            [interpolate(shape, device), stepping("warped", shape, device), stepping("chained", shape, device)],
            given,
            device,
            clock,
        )
        ratio, faster = warped / interpolation, chained / warped
        most = OVER_INTERPOLATION_SCENE if name == "scene" else OVER_INTERPOLATION
        missed = ratio > most or faster < OVER_CHAINED
        print(
            f"{name:>9}{interpolation:16.2f}{warped:11.2f}{ratio:8.1f}{chained:12.1f}{faster:8.1f}"
            f"{'   misses a goal' if missed else ''}",
            flush=True,
        )
    given = list(shot("pan", arguments.size, max(3, arguments.repeats // 4) + WARM_UP))
    count = arguments.maps
    one, many, noises = in_turns(
        [all_maps(shape, device, 1), all_maps(shape, device, count), many_noises(shape, device, count)],
        given,
        device,
        clock,
    )
    print(
        f"{count} maps, all of them read: {many:.1f} ms, {many / one:.1f} times one map ({one:.1f} ms), "
        f"{many / noises:.2f} of {count} noises ({noises:.1f} ms)"
    )


def shot(name: str, size: int, count: int) -> Iterator[Motion]:
    """The motions of a shot."""
    if name != "scene":
        way = WAYS[name](size)
        yield from (way.motion(frame, frame + 1) for frame in range(count))
        return
    with tempfile.TemporaryDirectory() as folder:
        job = synthetic.make_job(Path(folder) / "job", frames=count + 1, width=size, height=size)
        yield from (motion for _, motion in motions(job) if motion is not None)


Step = Callable[[Motion], object]


def stepping(method: str, shape: tuple[int, int, int], device: torch.device) -> Step:
    noise: NoiseMethod = make_noise(method, shape, seed=0, device=device)
    return noise.advance


def all_maps(shape: tuple[int, int, int], device: torch.device, maps: int) -> Step:
    noise = make_noise("warped", shape, seed=0, device=device, maps=maps)

    def step(motion: Motion) -> object:
        noise.advance(motion)
        return [noise.frame(map_) for map_ in range(1, maps)]

    return step


def many_noises(shape: tuple[int, int, int], device: torch.device, count: int) -> Step:
    noises = [make_noise("warped", shape, seed=seed, device=device) for seed in range(count)]
    return lambda motion: [noise.advance(motion) for noise in noises]


def interpolate(shape: tuple[int, int, int], device: torch.device) -> Step:
    noise = torch.randn((1, *shape), device=device)
    grid = torch.rand((1, *shape[1:], 2), device=device) * 2 - 1
    return lambda motion: grid_sample(noise, grid, mode="bilinear", align_corners=False)


def in_turns(steps: list[Step], given: list[Motion], device: torch.device, clock: Callable[[], float]) -> list[float]:
    """Milliseconds of each, the median over the motions but the first few; in turns, so that another program's load
    falls on all alike."""
    times: list[list[float]] = [[] for _ in steps]
    for motion in given:
        for step, taken in zip(steps, times, strict=True):
            wait(device)
            start = clock()
            step(motion)
            wait(device)
            taken.append(1000 * (clock() - start))
    return [statistics.median(taken[WARM_UP:]) for taken in times]


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
