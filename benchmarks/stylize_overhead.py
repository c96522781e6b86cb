"""What stylizing costs beyond the model's own work: reading, noise, sampling and writing.

    python benchmarks/stylize_overhead.py [--frames 4] [--size 256] [--steps 20] [--batch N] [--device D] [--model M]

The reference, in the same run and in turns with it, is the network alone: as many calls on tensors of the same size,
precision and batch as stylizing makes, guidance included. `ratio` is the whole of stylizing, from the passes' files to
the written frames and the movie, over that; loading the weights is in neither. The goal is 1.10.

On a busy machine --cpu-time compares the work of all threads instead of the time that passes, on one thread an
operation. It is the stricter figure: what overlaps counts in full.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from warpnoise.job import Settings, Shot
from warpnoise.pipeline import stylize
from warpnoise.sdedit import load_model
from warpnoise.sdedit.device import pick_batch
from warpnoise.sdedit.pixel import PixelEditor
from warpnoise.sdedit.samplers import steps_to_run

from backend import synthetic

GOAL = 1.10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--eta", type=float, default=0.0)
    parser.add_argument("--noise", default="warped")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--device")
    parser.add_argument("--model", default="default", help="of pixels")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cpu-time", action="store_true")
    arguments = parser.parse_args()
    clock = time.process_time if arguments.cpu_time else time.perf_counter
    if arguments.cpu_time:
        torch.set_num_threads(1)  # threads that wait for each other in a loop are no work
    editor = load_model(arguments.model, arguments.device)
    if not isinstance(editor, PixelEditor):
        parser.error("the model must be one of pixels")
    batch = min(arguments.batch or pick_batch(editor.device, arguments.size, arguments.size), arguments.frames)
    own = {name: getattr(arguments, name) for name in ("model", "steps", "eta", "noise")}
    chosen = Settings(coherence="off", **own)  # it costs network calls, too
    steps = steps_to_run(arguments.steps, chosen.strength)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(
        f"{arguments.frames} frames of {arguments.size} x {arguments.size}, "
        f"{steps} steps, batch {batch}, {arguments.noise} noise, "
        f"{editor.device} ({editor.dtype}), {os.cpu_count()} cores, load {load:.1f}"
    )
    whole, bare = [], []
    with tempfile.TemporaryDirectory() as folder:
        job = synthetic.make_job(
            Path(folder) / "job",
            frames=arguments.frames,
            width=arguments.size,
            height=arguments.size,
            settings=chosen,
        )
        run_job(job, editor, batch, clock)  # sets up the device and compiles the noise, as the first job of a day does
        for _ in range(arguments.repeats):  # in turns, so that another program's load falls on both alike
            whole.append(run_job(job, editor, batch, clock))
            calls = math.ceil(arguments.frames / batch) * steps
            bare.append(run_network(editor, chosen, batch, arguments.size, calls, clock))
            print(
                f"stylizing {whole[-1]:8.2f} s   network {bare[-1]:8.2f} s   ratio {whole[-1] / bare[-1]:.3f}",
                flush=True,
            )
    ratio = statistics.median(a / b for a, b in zip(whole, bare, strict=True))
    print(f"ratio {ratio:.3f} (median), goal {GOAL:.2f}{'' if ratio <= GOAL else '   over the goal'}")


def run_job(job: Shot, editor: PixelEditor, batch: int, clock: Callable[[], float]) -> float:
    shutil.rmtree(job.results_folder, ignore_errors=True)

    def loaded(*_: Any) -> PixelEditor:
        return editor

    start = clock()
    stylize(job, batch=batch, load=loaded)
    return clock() - start


@torch.inference_mode()
def run_network(
    editor: PixelEditor, settings: Settings, batch: int, size: int, calls: int, clock: Callable[[], float]
) -> float:
    x = torch.randn((batch, 3, size, size), device=editor.device)
    conditioning = editor._conditioning(x, None)
    t = torch.tensor(500)
    wait(editor.device)
    start = clock()
    for _ in range(calls):
        editor._guided(conditioning, x, t, settings)
    wait(editor.device)
    return clock() - start


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


if __name__ == "__main__":
    main()
