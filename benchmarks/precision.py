"""What bfloat16 saves on a CPU, and what it changes: the default model in float32 and in bfloat16, in turns.

    python benchmarks/precision.py [--sizes 256 512] [--repeats 3]

An edit is one frame through all steps. The difference is that of the results in [0, 1]: PSNR, and the largest.
On a CPU without bfloat16 of its own this takes long.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from warpnoise.job import Settings
from warpnoise.sdedit import load_model
from warpnoise.sdedit.device import computes_bfloat16
from warpnoise.sdedit.editor import Editor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    editors = [load_model("default", "cpu", dtype) for dtype in ("float32", "bfloat16")]
    print(f"bfloat16 of its own: {computes_bfloat16()}, {torch.get_num_threads()} threads")
    print(f"{'size':>6}{'style':>13}{'float32 s':>11}{'bfloat16 s':>12}{'ratio':>7}{'PSNR dB':>9}{'largest':>9}")
    for size in arguments.sizes:
        measure(editors, size, arguments.repeats)


def measure(editors: list[Editor], size: int, repeats: int) -> None:
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand((1, 3, 8, 8), generator=generator)
    frame = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bicubic").clamp(0, 1)
    noise = torch.randn((1, 3, size, size), generator=generator)
    for style in editors[0].folder.styles:
        times: list[list[float]] = [[], []]
        results: list[torch.Tensor] = []
        for _ in range(repeats + 1):
            results = []
            for editor, taken in zip(editors, times, strict=True):
                start = time.perf_counter()
                results.append(editor.edit(frame, lambda index: noise, Settings(style=style)))
                taken.append(time.perf_counter() - start)
        single, half = (statistics.median(taken[1:]) for taken in times)
        off = results[0] - results[1]
        psnr = -10 * torch.log10(off.square().mean())
        print(
            f"{size:6}{style:>13}{single:11.2f}{half:12.2f}{single / half:7.2f}{psnr:9.1f}{off.abs().max():9.4f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
