"""Decoder-aligned and pooled noise on shots and pans, through a latent model.

    python benchmarks/decoder_aligned_shots.py JOB... --model FOLDER [--pans 1 2 4 8]
    WARPNOISE_TEST_AUTOENCODER=FILE python benchmarks/decoder_aligned_shots.py JOB... --denoiser FOLDER [--pans 1 2 4 8]

FILE is the tiny FLUX.2 autoencoder that the tests use, and the second FOLDER holds a denoiser of its latents. With
--pans, the shots are pans over each job's first frame, by so many pixels a frame. The noise goes through a shot's
motion as in a stylizing: pooled noise on the latents' grid, pixel noise for the patterns to read. There is no phase
lock. Incoherence and gradient energy are measured as `warpnoise compare` measures them, over all seeds; the gradient is
relative to random noise with the same seeds.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from warpnoise.compare.experiment.pan import make_pan
from warpnoise.compare.experiment.shot_motion import ShotMotion
from warpnoise.compare.metrics.coherence import CoherenceMeter, gradient_energy
from warpnoise.job import Settings, Shot
from warpnoise.motion import frames_and_motions
from warpnoise.noise.warped import WarpedNoise
from warpnoise.pipeline.pictures import read_picture
from warpnoise.sdedit.filter_bank import FilterBank
from warpnoise.sdedit.filter_bank.response import measure_response

sys.path.insert(0, str(Path(__file__).resolve().parent))

from latent_models import Edit, LatentModel, add_model_options, chosen_model

RANDOM_FRAMES = 2
"""Of each shot and seed: enough for the gradient's mean."""

Figures = dict[str, list[np.ndarray]]
"""For each noise and seed: incoherence by lag, and gradient energy."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jobs", nargs="+", type=Path, metavar="JOB")
    add_model_options(parser)
    parser.add_argument("--pans", type=int, nargs="+", default=[], metavar="PIXELS", help="pans instead of the shots")
    parser.add_argument("--frames", type=int, default=6, help="of each shot or pan (default %(default)s)")
    parser.add_argument("--lags", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--scale", type=int, default=1, help="pixels on a side of a value of the noise")
    parser.add_argument("--particles", type=int, default=4, help="on a side of such a value (default %(default)s)")
    arguments = parser.parse_args()
    model = chosen_model(parser, arguments)
    if model.edit is None:
        parser.error("give --denoiser, or --model")
    response = measure_response(model.decode, channels=model.channels, cell=model.cell)
    bank = FilterBank.from_response(response, cell=model.cell, scale=arguments.scale)
    print(f"equivariant share of the mean response {bank.energy:.3f}", flush=True)
    lags = arguments.lags
    print(f"{'incoherence':>28}" + "".join(f"{f'lag {lag}':>9}" for lag in lags) + f"{'gradient':>11}")
    totals: Figures = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        for name, shots in groups(arguments.jobs, arguments.pans, arguments.frames, Path(folder)):
            found: Figures = defaultdict(list)
            for shot in shots:
                for noise, rows in measured(shot, model, model.edit, bank, arguments).items():
                    found[noise] += rows
            for noise, rows in found.items():
                show(f"{name} {noise}", rows)
                totals[noise] += rows
    for noise, rows in totals.items():
        show(f"all {noise}", rows)
    ratio = np.mean(totals["aligned"], 0)[:-1] / np.mean(totals["pooled"], 0)[:-1]
    print(f"{'aligned / pooled':>28}" + "".join(f"{figure:9.3f}" for figure in ratio))


def groups(jobs: list[Path], pans: list[int], frames: int, folder: Path) -> Iterator[tuple[str, list[Shot]]]:
    """Shots whose figures are averaged: each job's, or all pans by the same number of pixels."""
    if not pans:
        for job in jobs:
            yield job.parent.name, [Shot.open(job)]
    for pan in pans:
        places = [folder / f"{pan}-{index}" for index in range(len(jobs))]
        yield (
            f"{pan} px",
            [make_pan(Shot.open(job), place, pan, frames, Settings()) for job, place in zip(jobs, places, strict=True)],
        )


def measured(shot: Shot, model: LatentModel, edit: Edit, bank: FilterBank, arguments: argparse.Namespace) -> Figures:
    motion = ShotMotion(shot, arguments.lags, lambda text: None)
    numbers = shot.frames[: arguments.frames]
    frames = [read_picture(shot.color(number)).image[None] for number in numbers]
    geometry = [
        torch.from_numpy(frame.geometry())[None]
        for (frame, _), _ in zip(frames_and_motions(shot, warn=lambda text: None), numbers, strict=False)
    ]
    size = shot.scene.height, shot.scene.width
    found: Figures = defaultdict(list)
    for seed in range(arguments.seeds):
        generator = torch.Generator().manual_seed(1000 + seed)
        sharp = float(np.mean([
            gradient_energy(pixels(edit(*given, torch.randn((1, *model.noise_shape(*size)), generator=generator))))
            for given in list(zip(frames, geometry, strict=True))[:RANDOM_FRAMES]
        ]))  # fmt: skip
        for name, noises in (
            ("pooled", carried(motion, model.noise_shape(*size), seed)),
            ("aligned", map(bank.project, carried(motion, bank.noise_shape(*size), seed, arguments.particles))),
        ):
            meter = CoherenceMeter(arguments.lags)
            for frame, known, noise, (_, seen) in zip(frames, geometry, noises, motion, strict=False):
                meter.add(pixels(edit(frame, known, noise[None])), seen.values())
            figures = meter.result()
            row = [*(figures.incoherence[lag] for lag in arguments.lags), figures.gradient_energy / sharp]
            found[name].append(np.array(row))
    return found


def carried(motion: ShotMotion, shape: tuple[int, int, int], seed: int, particles: int = 4) -> Iterator[Tensor]:
    """Warped noise for each frame of a shot."""
    noise = WarpedNoise(shape, seed, particles_per_side=particles)
    for _, step in motion.motions():
        yield (noise.frame() if step is None else noise.advance(step)).clone()


def pixels(picture: Tensor) -> np.ndarray:
    return np.ascontiguousarray(picture[0].permute(1, 2, 0).numpy(), np.float32)


def show(name: str, rows: list[np.ndarray]) -> None:
    *incoherence, gradient = np.mean(rows, 0)
    print(f"{name:>28}" + "".join(f"{figure:9.3f}" for figure in incoherence) + f"{gradient:11.3f}", flush=True)


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
