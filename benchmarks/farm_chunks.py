"""What a farm pays for cutting a shot: advancing the noise through the frames before a chunk, beside stylizing a frame.

    python benchmarks/farm_chunks.py [--size 256] [--frames 12] [--model default] [--steps 20] [--shot 1000]
    python benchmarks/farm_chunks.py --size 48 --growth 400

A chunk reads the passes of every frame before it, and advances the noise through them. The unit is one stylized frame
(the model, and the file), so that the figures are ratios of one run; times are the process's CPU time. "to frame k"
is what a chunk that begins there pays before its first frame. "overhead" is what all chunks of a shot pay together,
in per cent of stylizing it once: with n chunks of N frames about (n - 1) / 2 times N advances. ``--growth`` advances
through so many frames and no more, and compares the first with the last ones.
"""

from __future__ import annotations

import argparse
import functools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from warpnoise.job import Settings, Shot
from warpnoise.motion import motions
from warpnoise.noise import make_noise
from warpnoise.pipeline import stylize
from warpnoise.sdedit import load_model

from backend import synthetic

CHUNKS = (6, 12, 24, 48, 96, 240)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=256, help="pixels of the picture's sides")
    parser.add_argument("--frames", type=int, default=12, help="that are measured")
    parser.add_argument("--model", default="default")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--strength", type=float, default=0.5)
    parser.add_argument("--shot", type=int, default=1000, help="frames of the shot that the table is for")
    parser.add_argument("--growth", type=int, help="frames to advance through, instead of all else")
    arguments = parser.parse_args()
    if arguments.growth:
        growth(arguments.growth, arguments.size)
        return
    settings = Settings(model=arguments.model, steps=arguments.steps, strength=arguments.strength, coherence="off")
    with tempfile.TemporaryDirectory() as folder:
        shot = synthetic.make_job(
            Path(folder, "job"), frames=arguments.frames, width=arguments.size, height=arguments.size, settings=settings
        )
        editor = load_model(arguments.model, "cpu", "float32")
        shape, maps = editor.noise_shape(arguments.size, arguments.size, settings), editor.noise_maps(settings)

        def run(frames: list[int] | None) -> None:
            stylize(shot, frames=frames, batch=1, movie=False, device="cpu", dtype="float32", load=lambda *_: editor)

        def advance() -> None:
            noise = make_noise(settings.noise, shape, settings.seed, "cpu", maps)
            for _, motion in motions(shot):
                if motion is not None:
                    noise.advance(motion)

        advance()  # compiles
        run(shot.frames[:1])
        read, advanced, whole = (_cpu(each) for each in (lambda: _read(shot), advance, lambda: run(None)))
    frames = arguments.frames - 1  # the first was made already, and nothing leads to it
    advanced_frame = advanced / frames
    frame = whole / frames - advanced_frame
    cost = advanced_frame / frame
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    pixels, steps = f"{arguments.size} x {arguments.size}", round(arguments.strength * arguments.steps)
    print(f"{pixels}, noise {shape}, {maps} map(s), {steps} steps, {torch.get_num_threads()} threads, load {load:.1f}")
    print(f"stylize a frame: {1000 * frame:.0f} ms")
    print(f"read its passes: {1000 * read / arguments.frames:.1f} ms")
    print(f"read them and advance the noise: {1000 * advanced_frame:.1f} ms, {100 * cost:.2f}% of stylizing it")
    print("to frame   " + "".join(f"{k:>8}" for k in (24, 100, 240, 500, 1000)))
    print("in frames  " + "".join(f"{k * cost:>8.2f}" for k in (24, 100, 240, 500, 1000)))
    print(f"frames in a chunk of {arguments.shot} | chunks | overhead % | longest chunk, in stylized frames")
    for size in CHUNKS:
        starts = range(0, arguments.shot, size)
        overhead = 100 * cost * sum(starts) / arguments.shot
        longest = max(min(size, arguments.shot - start) + start * cost for start in starts)
        print(f"{size:>25} | {len(starts):>6} | {overhead:>10.1f} | {longest:.1f}")


def growth(count: int, size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shot = synthetic.make_job(Path(folder, "job"), frames=count, width=size, height=size)
        noise = make_noise("warped", (3, size, size), 0, "cpu", 1)
        costs = [_cpu(functools.partial(noise.advance, motion)) for _, motion in motions(shot) if motion is not None]
    part = count // 8
    for start in (part // 4, (count - part) // 2, count - 1 - part):
        median = statistics.median(costs[start : start + part])
        print(f"frames {start:>5} to {start + part:>5}: {1000 * median:.1f} ms to advance")


def _read(shot: Shot) -> None:
    for _ in motions(shot):
        pass


def _cpu(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    main()
