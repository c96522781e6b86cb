"""How time and memory of the warped noise grow with the picture.

    python benchmarks/noise_size.py [--sizes 128 256 512 1024] [--channels 4] [--steps 6] [--device cpu]

Each size runs in a separate process. `ratio` is the time per pixel, divided by that of the first size (1: linear in
pixels). `table MB` is the size of the table of particles and their values. `peak MB` is the rise of the process's
memory. The goal at 1024 x 1024 x 4 is 1 GiB.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

WARM_UP = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 256, 512, 1024])
    parser.add_argument("--channels", type=int, default=4)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--motion", default="pan", help="one of tests/backend/noise/planes.py")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one, arguments)))
        return
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(f"{arguments.channels} channels, {arguments.motion}, {arguments.device}, load {load:.1f}")
    print(f"{'size':>6}{'step ms':>10}{'ns / pixel':>12}{'ratio':>7}{'table MB':>10}{'peak MB':>9}")
    reference = None
    for size in arguments.sizes:
        command = [sys.executable, __file__, *sys.argv[1:], "--one", str(size)]
        found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        each = 1e6 * found["ms"] / size**2
        reference = reference or each
        print(
            f"{size:6}{found['ms']:10.1f}{each:12.0f}{each / reference:7.2f}{found['table']:10.0f}{found['peak']:9.0f}",
            flush=True,
        )


def measure(size: int, arguments: argparse.Namespace) -> dict[str, float]:
    """Milliseconds a step, and MB."""
    import psutil
    import torch
    from backend.noise.planes import WAYS
    from warpnoise.noise import WarpedNoise

    process = psutil.Process()
    way = WAYS[arguments.motion](size)
    given = [way.motion(frame, frame + 1) for frame in range(arguments.steps + WARM_UP)]
    small = WarpedNoise((arguments.channels, 16, 16), device=arguments.device)  # compiles what is to be compiled
    for frame in range(2):
        small.advance(WAYS[arguments.motion](16).motion(frame, frame + 1))
    before = process.memory_info().rss
    peak, over = before, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.is_set():
            peak = max(peak, process.memory_info().rss)
            time.sleep(0.002)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        noise, times = WarpedNoise((arguments.channels, size, size), device=arguments.device), []
        for motion in given:
            start = time.perf_counter()
            noise.advance(motion)
            if noise.device.type == "cuda":
                torch.cuda.synchronize(noise.device)
            times.append(1000 * (time.perf_counter() - start))
    finally:
        over.set()
        watcher.join()
    used = peak - before
    if noise.device.type == "cuda":
        used = torch.cuda.max_memory_allocated(noise.device)
    return {"ms": statistics.median(times[WARM_UP:]), "table": noise.bytes / 1e6, "peak": used / 1e6}


if __name__ == "__main__":
    main()
