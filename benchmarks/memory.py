"""Whether the memory that stylizing takes grows with the animation.

    python benchmarks/memory.py [--frames 20 200] [--size 256] [--model latent]

Each length runs in a process of its own, on the CPU, with a toy network of pixels or of latents (a large one would hide
growth behind its own memory) and one denoising step a frame. `ratio` is the peak over that of the shortest; the goal is
1.05. `above` is the peak beyond what the process held when the model was loaded, in which growth would show more
clearly.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path.insert(0, str(TESTS))

GOAL = 1.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, nargs="+", default=[20, 200])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--noise", default="warped")
    parser.add_argument("--model", choices=["pixel", "latent"], default="pixel")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one)))
        return
    from backend.tiny_models import write_pixel_model
    from warpnoise.job import Settings

    from backend import synthetic, tiny_pipelines

    print(f"{arguments.size} x {arguments.size} pixels, {arguments.noise} noise")
    print(f"{'frames':>6}{'peak MB':>9}{'above MB':>10}{'ratio':>7}")
    reference = None
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        if arguments.model == "pixel":
            write_pixel_model(model)
        else:
            tiny_pipelines.write("sd21", model)
        settings = Settings(model=str(model), steps=1, noise=arguments.noise, coherence="off")
        size = {"width": arguments.size, "height": arguments.size}
        in_a_process(synthetic.make_job(Path(folder) / "first", frames=3, settings=settings, **size).path)  # compiles
        for frames in sorted(arguments.frames):
            job = synthetic.make_job(Path(folder) / f"{frames}", frames=frames, settings=settings, **size)
            result = in_a_process(job.path)
            reference = reference or result["peak"]
            ratio = result["peak"] / reference
            print(
                f"{frames:6}{result['peak']:9.1f}{result['peak'] - result['loaded']:10.1f}{ratio:7.3f}"
                f"{'' if ratio <= GOAL else '   over the goal'}",
                flush=True,
            )


def in_a_process(job: Path) -> dict[str, float]:
    """What `measure` finds in a process of its own."""
    run = subprocess.run([sys.executable, __file__, "--one", job], capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(run.stdout)
    return result


def measure(folder: Path) -> dict[str, float]:
    """Peak memory of one run, and what was held before it, in MB."""
    import psutil
    from warpnoise.job import Shot
    from warpnoise.pipeline import stylize
    from warpnoise.sdedit import load_model

    job = Shot.open(folder)
    editor = load_model(job.settings.model, "cpu")
    process = psutil.Process()
    loaded = process.memory_info().rss
    peak, over = loaded, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.is_set():
            peak = max(peak, process.memory_info().rss)
            time.sleep(0.005)

    def keep(*_: Any) -> Any:
        return editor

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        stylize(job, device="cpu", load=keep)
    finally:
        over.set()
        watcher.join()
    return {"loaded": loaded / 1e6, "peak": peak / 1e6}


if __name__ == "__main__":
    main()
