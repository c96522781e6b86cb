"""What storing weights in 8 and 4 bits saves in memory, and what it changes.

    python benchmarks/quantized_memory.py [--layers 8]

A tiny FLUX.1 with a T5 of 1024 numbers a token is loaded on the CPU, in a process of its own for each row. `MB` is what
the process holds more after T5 has run than before loading. `error` is the root mean square of the change of T5's
answer over that of the answer. `time` is that of T5, over that of the first row. The weights are random.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

ROWS = ("none", "8bit", "4bit")
WIDTH = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(*arguments.one)))
        return
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), arguments.layers)
        first: dict[str, Any] = {}
        print(f"{'quantize':<10}{'MB':>7}{'ratio':>7}{'error':>8}{'time':>6}")
        for quantize in ROWS:
            command = [sys.executable, __file__, "--one", folder, quantize]
            row = json.loads(
                subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
            )
            first = first or row
            change = [a - b for a, b in zip(row["answer"], first["answer"], strict=True)]
            error = (sum(x * x for x in change) / sum(x * x for x in first["answer"])) ** 0.5
            ratios = row["memory"] / first["memory"], row["time"] / first["time"]
            print(
                f"{quantize:<10}{row['memory'] / 1e6:>7.0f}{ratios[0]:>7.2f}{error:>8.4f}{ratios[1]:>6.2f}", flush=True
            )


def write(folder: Path, layers: int) -> None:
    import torch
    import transformers

    from backend import tiny_pipelines as tiny

    config = partial(
        transformers.T5Config,
        vocab_size=64,
        d_model=WIDTH,
        d_kv=64,
        d_ff=2816,
        num_heads=16,
        num_layers=layers,
        feed_forward_proj="gated-gelu",
    )
    torch.manual_seed(0)
    tiny.changed("flux", text_encoder_2=lambda: transformers.T5EncoderModel(config())).make().save_pretrained(folder)


def measure(folder: str, quantize: Any) -> dict[str, Any]:
    import diffusers
    import psutil
    import torch
    import transformers
    from warpnoise.sdedit import load_model
    from warpnoise.sdedit.memory_plan import MemoryOptions
    from warpnoise.sdedit.pipeline_editor import PipelineEditor

    torch.set_num_threads(1)
    _ = diffusers.FluxPipeline, transformers.T5EncoderModel, transformers.CLIPTextModel  # imported when they are named
    before = psutil.Process().memory_info().rss
    editor = load_model(folder, "cpu", "float32", MemoryOptions(quantize=quantize))
    assert isinstance(editor, PipelineEditor)
    encoder = editor.pipeline.text_encoder_2
    tokens = torch.arange(2, 62)[None]
    started = time.process_time()
    with torch.no_grad():
        answer = encoder(tokens)[0]
    seconds = time.process_time() - started
    memory = psutil.Process().memory_info().rss - before  # files that are mapped count once they are read
    return {"memory": memory, "time": seconds, "answer": answer.flatten()[::64].tolist()}


if __name__ == "__main__":
    main()
