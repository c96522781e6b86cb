"""Measures the noise's share of a frame's time, for a model that works in the latents of an autoencoder.

    python benchmarks/noise_share.py [--model FOLDER] [--size 512] [--frames 4] [--threads 1] [--particles 4]

Without --model, it uses the project's latent model (training/latents.py) with random weights, at the model's strength
and steps. The noise is warped pixel noise in a slow zoom, projected to the decoder's patterns. `share` is the noise's
time divided by that of noise and edit together, measured in turns in the same run, in CPU time of all threads. The goal
is 0.10.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import diffusers
import torch
from warpnoise.job import Settings
from warpnoise.noise import Motion
from warpnoise.noise.warped import WarpedNoise
from warpnoise.sdedit import load_model
from warpnoise.sdedit.edit_settings import NoiseMaps
from warpnoise.sdedit.pixel import PixelEditor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


from training.export import STEPS, add_autoencoder
from training.latents import make_autoencoder, make_latent_unet
from training.network import make_scheduler

library: Any = diffusers  # untyped

ZOOM = 1.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--particles", type=int, default=4, help="on a side of a pixel (default %(default)s)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        measure(arguments.model or random_model(Path(folder)), arguments.size, arguments.frames, arguments.particles)


def measure(model: Path, size: int, frames: int, particles: int) -> None:
    editor = load_model(model, "cpu")
    if not isinstance(editor, PixelEditor):
        raise SystemExit(f"{model}: expected a UNet2DModel and a scheduler")
    settings = Settings(steps=STEPS)
    shape = editor.noise_shape(size, size, settings)
    noise = WarpedNoise(shape, 0, particles_per_side=particles)
    picture = torch.rand((1, 3, size, size), generator=torch.Generator().manual_seed(0))
    map_ = noise.advance(zoom(size))[None].clone()
    editor.edit(picture, constant(map_), settings)  # compiles, and measures the decoder
    shares, times = [], []
    for _ in range(frames):
        start = time.process_time()
        map_ = noise.advance(zoom(size))[None].clone()
        carried = time.process_time()
        editor._noise.latents(map_, 0, settings)
        projected = time.process_time()
        editor.edit(picture, constant(map_), settings)
        end = time.process_time()
        # The edit reads the noise again.
        shares.append((projected - start) / (end - projected + carried - start))
        times.append(end - projected + carried - start)
    print(f"noise {shape}, {size} x {size} pixels: {statistics.median(times):.2f} s of processor time a frame")
    print(f"share {statistics.median(shares):.3f}")


def constant(noise: torch.Tensor) -> NoiseMaps:
    return lambda index: noise


def zoom(size: int) -> Motion:
    along = torch.arange(size) - (size - 1) / 2
    offset = torch.stack(torch.meshgrid(along, along, indexing="xy"), dim=-1)
    return Motion((ZOOM - 1) * offset, (1 / ZOOM - 1) * offset)


def random_model(folder: Path) -> Path:
    torch.manual_seed(0)
    library.DDIMPipeline(make_latent_unet(), make_scheduler()).save_pretrained(folder)
    add_autoencoder(folder, make_autoencoder())
    return folder


if __name__ == "__main__":
    main()
