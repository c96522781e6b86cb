"""What huge pages give on a CPU: the default model's network and a step of the noise, with and without them.

    python benchmarks/huge_pages.py [--sizes 256 512 768] [--repeats 3]

The package asks torch for them (THP_MEM_ALLOC_ENABLE, `warpnoise/__init__.py`). As torch decides once for a process,
every measurement is a process of its own, with and without in turns. Where Linux gives them always or never, or the
system is another, both are the same.
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

SWITCH = "THP_MEM_ALLOC_ENABLE"
SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")
RUNS, WARM_UP = 10, 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
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
    found: dict[str, dict[str, list[float]]] = {"0": {}, "1": {}}
    for _ in range(arguments.repeats):
        for switch, times in found.items():
            command = [sys.executable, __file__, "--measure", "--sizes", *map(str, arguments.sizes)]
            command += ["--motions", *arguments.motions]
            done = subprocess.run(
                command, env=os.environ | {SWITCH: switch}, stdout=subprocess.PIPE, text=True, check=True
            )
            for name, value in json.loads(done.stdout).items():
                times.setdefault(name, []).append(value)
    print(f"{'ms':>16}{'without':>10}{'with':>10}{'ratio':>8}")
    for name, without in found["0"].items():
        before, after = statistics.median(without), statistics.median(found["1"][name])
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
