"""What an environment variable does to speed: the default model's network and a step of the noise, in turns.

    python benchmarks/environment.py                                        huge pages, off and on
    python benchmarks/environment.py --variable OMP_WAIT_POLICY --values "" PASSIVE
        [--sizes 256 512 768] [--motions turn "zoom out" scene] [--repeats 3]

torch and OpenMP read such variables once for a process, so every measurement is a process of its own; an empty value
removes the variable. The package asks torch for huge pages (THP_MEM_ALLOC_ENABLE, `warpnoise/__init__.py`). Where Linux
gives them always or never, or the system is another, both are the same. OMP_WAIT_POLICY=PASSIVE lets OpenMP's threads
sleep while they wait: much faster if other programs use the cores, slower by the time to wake if none does.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")
RUNS, WARM_UP = 10, 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variable", default="THP_MEM_ALLOC_ENABLE")
    parser.add_argument("--values", nargs=2, default=["0", "1"])
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 768], help="of the network's pictures")
    parser.add_argument("--motions", nargs="+", default=["turn", "zoom out", "scene"], help="of 16 x 128 x 128 noise")
    parser.add_argument("--repeats", type=int, default=3, help="processes of each kind")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.sizes, arguments.motions)))
        return
    if SETTING.exists():
        print(f"{SETTING}: {SETTING.read_text().strip()}")
    first, second = arguments.values
    found: dict[str, dict[str, list[float]]] = {first: {}, second: {}}
    for _ in range(arguments.repeats):
        for value, times in found.items():
            command = [sys.executable, __file__, "--measure", "--sizes", *map(str, arguments.sizes)]
            command += ["--motions", *arguments.motions]
            environment = {key: text for key, text in os.environ.items() if key != arguments.variable}
            environment |= {arguments.variable: value} if value else {}
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
            for name, ms in json.loads(done.stdout).items():
                times.setdefault(name, []).append(ms)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(f"{arguments.variable}, load {load:.1f}")
    print(f"{'ms':>16}{first or 'unset':>10}{second or 'unset':>10}{'ratio':>8}")
    for name, taken in found[first].items():
        before, after = statistics.median(taken), statistics.median(found[second][name])
        print(f"{name:>16}{before:10.1f}{after:10.1f}{before / after:8.2f}")


def measure(sizes: list[int], motions: list[str]) -> dict[str, float]:
    """Milliseconds of a call of the network in each size, and of a step of the noise in each motion."""
    import torch
    from noise_step import shot, stepping
    from stylize_overhead import run_network
    from warpnoise.job import Settings
    from warpnoise.sdedit import load_model
    from warpnoise.sdedit.pixel import PixelEditor

    editor = load_model("default", "cpu")
    assert isinstance(editor, PixelEditor)
    result = {}
    for size in sizes:
        call = partial(run_network, editor, Settings(), 1, size, 1, time.perf_counter)
        result[f"network {size}"] = median([call] * (RUNS + WARM_UP))
    junk = torch.zeros(1 << 24)
    for name in motions:
        step = stepping("warped", (16, 128, 128), torch.device("cpu"))
        calls = [partial(step, motion) for motion in shot(name, 128, RUNS + WARM_UP)]
        result[f"noise, {name}"] = median(calls, before=lambda: junk.add_(1.0))
    return result


def median(calls: Sequence[Callable[[], object]], before: Callable[[], object] = lambda: None) -> float:
    """Milliseconds of a call. ``before`` is not timed: it may fill the caches with other things, as a model does."""
    times = []
    for call in calls:
        before()
        start = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[WARM_UP:])


if __name__ == "__main__":
    main()
