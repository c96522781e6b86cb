"""Decoder-aligned and pooled noise on whole shots, through a small latent denoiser.

    WARPNOISE_TEST_AUTOENCODER=FILE python benchmarks/decoder_aligned_shots.py JOB... --denoiser FOLDER

FILE and FOLDER are those of decoder_aligned_noise.py. The noise goes through a job's motion as in a stylizing: pooled
noise on the latents' grid, pixel noise for the patterns to read. Incoherence and gradient energy are measured as
`warpnoise compare` measures them, over all seeds; the gradient is relative to random noise with the same seeds.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from warpnoise.compare.experiment.shot_motion import ShotMotion
from warpnoise.compare.metrics.coherence import CoherenceMeter, gradient_energy
from warpnoise.job import Shot
from warpnoise.noise import make_noise
from warpnoise.pipeline.read import read_picture
from warpnoise.sdedit.filter_bank import FilterBank
from warpnoise.sdedit.filter_bank.response import measure_response

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from backend.tiny_autoencoder import CELL, CHANNELS
from decoder_aligned_noise import Edit, autoencoder_option, stylizer

RANDOM_FRAMES = 2
"""Of each shot and seed: enough for the gradient's mean."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jobs", nargs="+", type=Path, metavar="JOB")
    parser.add_argument("--denoiser", type=Path, required=True, help="folder of a UNet2DModel")
    parser.add_argument("--frames", type=int, default=6, help="of each shot (default %(default)s)")
    parser.add_argument("--lags", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--scale", type=int, default=1, help="pixels on a side of a value of the noise")
    arguments = parser.parse_args()
    autoencoder = autoencoder_option(parser)
    response = measure_response(autoencoder.decode, channels=CHANNELS, cell=CELL)
    bank = FilterBank.from_response(response, cell=CELL, scale=arguments.scale)
    print(f"equivariant share of the mean response {bank.energy:.3f}", flush=True)
    prepare = stylizer(autoencoder, arguments.denoiser)
    totals: dict[str, list[np.ndarray]] = defaultdict(list)
    print(f"{'incoherence':>28}" + "".join(f"{f'lag {lag}':>9}" for lag in arguments.lags) + f"{'gradient':>11}")
    for path in arguments.jobs:
        shot = Shot.open(path)
        motion = ShotMotion(shot, arguments.lags, lambda text: None)
        numbers = shot.frames[: arguments.frames]
        edits = [prepare(read_picture(shot.color(number)).image[None]) for number in numbers]
        found: dict[str, list[np.ndarray]] = defaultdict(list)
        for seed in range(arguments.seeds):
            sharp = random_gradient(edits[:RANDOM_FRAMES], shot, seed)
            for name, noises in (
                ("pooled", carried(motion, (CHANNELS, shot.scene.height // CELL, shot.scene.width // CELL), seed)),
                (
                    "aligned",
                    map(bank.project, carried(motion, bank.noise_shape(shot.scene.height, shot.scene.width), seed)),
                ),
            ):
                meter = CoherenceMeter(arguments.lags)
                for edit, noise, (_, seen) in zip(edits, noises, motion, strict=False):
                    meter.add(pixels(edit(noise[None])), seen.values())
                figures = meter.result()
                row = [*(figures.incoherence[lag] for lag in arguments.lags), figures.gradient_energy / sharp]
                found[name].append(np.array(row))
        for name, rows in found.items():
            show(f"{path.parent.name} {name}", rows)
            totals[name] += rows
    for name, rows in totals.items():
        show(f"all {name}", rows)
    ratio = np.mean(totals["aligned"], 0)[:-1] / np.mean(totals["pooled"], 0)[:-1]
    print(f"{'aligned / pooled':>28}" + "".join(f"{figure:9.3f}" for figure in ratio))


def carried(motion: ShotMotion, shape: tuple[int, int, int], seed: int) -> Iterator[Tensor]:
    """Warped noise for each frame of a shot."""
    noise = make_noise("warped", shape, seed)
    for _, step in motion.motions():
        yield (noise.frame() if step is None else noise.advance(step)).clone()


def random_gradient(edits: list[Edit], shot: Shot, seed: int) -> float:
    generator = torch.Generator().manual_seed(1000 + seed)
    shape = (1, CHANNELS, shot.scene.height // CELL, shot.scene.width // CELL)
    return float(np.mean([gradient_energy(pixels(edit(torch.randn(shape, generator=generator)))) for edit in edits]))


def pixels(picture: Tensor) -> np.ndarray:
    return np.ascontiguousarray(picture[0].permute(1, 2, 0).numpy(), np.float32)


def show(name: str, rows: list[np.ndarray]) -> None:
    *incoherence, gradient = np.mean(rows, 0)
    print(f"{name:>28}" + "".join(f"{figure:9.3f}" for figure in incoherence) + f"{gradient:11.3f}", flush=True)


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
