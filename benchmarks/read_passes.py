"""How long one frame's render passes take to read, by layout and compression.

    python benchmarks/read_passes.py [--width 1920] [--height 1080] [--repeats 7] [EXR ...]

Without files, passes of a ray-traced scene are written: all the channels that Blender writes (Combined is among them
even when it is switched off), with noise in their last bits. It is not a renderer's: Cycles' pictures come out smaller
with ZIP. To know of yours, give files that Blender wrote.

The reference, in the same run and in turns, is OpenEXR reading the same file on one thread: `ratio` is our median over
its. Where `cpu`, the processor's time in our best run, is far from `best`, threads helped (above) or other programs
were in the way (below). Files come from the page cache, so that the disk is left out.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import OpenEXR

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from warpnoise.media import exr

from backend import synthetic

GOAL_S = 0.1
CODECS = ("NO", "RLE", "ZIPS", "ZIP", "PIZ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, metavar="EXR")
    parser.add_argument("--width", type=int, default=1920)
    parser.add_argument("--height", type=int, default=1080)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; goal at 1920 x 1080: {GOAL_S * 1e3:.0f} ms")
    print(f"{'file':<28}{'MB':>7}{'best ms':>9}{'cpu ms':>8}{'median':>8}{'ratio':>7}")
    for path in arguments.files:
        report(path, "/".join(path.parts[-2:]), arguments.repeats)
    if arguments.files:
        return
    planes = passes(arguments.width, arguments.height)
    with tempfile.TemporaryDirectory() as folder:
        for layout in ("single", "multi"):
            for codec in CODECS:
                path = Path(folder) / "0001.exr"
                synthetic.write_passes(path, planes, layout=layout, codec=codec)
                report(path, f"{layout} part, {codec}", arguments.repeats)


def report(path: Path, name: str, repeats: int) -> None:
    ours, reference = measure(
        repeats,
        lambda: exr.read_passes(path),
        lambda: OpenEXR.File(str(path), separate_channels=True, num_threads=0),
    )
    best, cpu = min(ours)
    median, other = (statistics.median(wall for wall, _ in times) for times in (ours, reference))
    print(
        f"{name:<28}{path.stat().st_size / 1e6:7.1f}{best * 1e3:9.1f}{cpu * 1e3:8.1f}{median * 1e3:8.1f}"
        f"{median / other:7.2f}{'' if best <= GOAL_S else '   over the goal'}",
        flush=True,
    )


def measure(repeats: int, *calls: Callable[[], object]) -> tuple[list[tuple[float, float]], ...]:
    """For each call its wall and processor times, taken in turns. The first round warms up and is left out."""
    times: tuple[list[tuple[float, float]], ...] = tuple([] for _ in calls)
    for _ in range(repeats + 1):
        for call, taken in zip(calls, times, strict=True):
            wall, cpu = time.perf_counter(), time.process_time()
            call()
            taken.append((time.perf_counter() - wall, time.process_time() - cpu))
    return tuple(taken[1:] for taken in times)


def passes(width: int, height: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    planes = synthetic.Scene(width, height).planes(1)
    for name, plane in planes.items():
        if not name.startswith("Crypto"):
            plane *= 1 + random.normal(0, 1e-6, plane.shape).astype(np.float32)
    return planes


if __name__ == "__main__":
    main()
