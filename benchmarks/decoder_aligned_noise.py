"""What a decoder paints from latent noise: does it move with the picture?

    WARPNOISE_TEST_AUTOENCODER=FILE python benchmarks/decoder_aligned_noise.py [painted] [white]
    WARPNOISE_TEST_AUTOENCODER=FILE python benchmarks/decoder_aligned_noise.py sdedit --denoiser FOLDER

FILE is the tiny FLUX.2 autoencoder that the tests use. Views of docs/images/model/data.jpg are panned by 1, 2, 4 and 8
px a frame. For a pan, exact noise is one white field, shifted and integrated over the cells.

painted: half of a latent's deviation of noise is added to a view's latents; the difference of the decoded pictures is
    what the noise paints.
white: mean, variance and covariances of the latent noise's channels.
sdedit: the plain views, through a latent denoiser of the pair (noisy latents, latents of the view), strength 0.6.

Incoherence: half the mean squared difference of two frames, moved by the true motion, over their variance; 0 moves
with the scene, 1 is unrelated. For sdedit after a high pass (a Gaussian of 3 px is subtracted). Gradient energy: the
mean squared difference of neighbouring pixels over that of random noise; what averages or doubles falls below 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from warpnoise.sdedit.device import computes_bfloat16
from warpnoise.sdedit.filter_bank import FilterBank
from warpnoise.sdedit.filter_bank.response import measure_response

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from backend.tiny_autoencoder import CELL, CHANNELS, VARIABLE, TinyAutoencoder, autoencoder_path

SHEET = Path(__file__).resolve().parents[1] / "docs" / "images" / "model" / "data.jpg"
TILE, TOP = 256, 18
PANS = (1, 2, 4, 8)
LAGS = (1, 4)
SIZE = 128
BORDER = 16
AMOUNT = 0.5
SAMPLES = 1_000_000
STRENGTH, STEPS = 0.6, 8

Noise = Callable[[int, int], Tensor]
"""(pan, frame) -> (1, channels, H, W)."""

Edit = Callable[[Tensor], Tensor]
"""Noise (frames, channels, H, W) -> pictures (frames, 3, h, w) of one shot."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=("painted", "sdedit", "white"), default="painted")
    parser.add_argument("--denoiser", type=Path, help="folder of a UNet2DModel, for sdedit")
    parser.add_argument("--views", type=int, default=2)
    parser.add_argument("--frames", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    parser.add_argument("--noises", nargs="+", metavar="NAME", help="which noises; without it, all")
    arguments = parser.parse_args()
    autoencoder = autoencoder_option(parser)
    response = measure_response(autoencoder.decode, channels=CHANNELS, cell=CELL)
    banks = {scale: FilterBank.from_response(response, cell=CELL, scale=scale) for scale in (1, 2)}
    for scale, bank in banks.items():
        print(f"scale {scale}: equivariant share of the mean response {bank.energy:.3f}", flush=True)
    seeds = range(arguments.seed, arguments.seed + arguments.seeds)
    noises = [make_noises(banks, seed, arguments.frames, arguments.noises) for seed in seeds]
    parts = [arguments.parts] if isinstance(arguments.parts, str) else arguments.parts
    for part in parts:
        print(part)
        if part == "white":
            report_whiteness(banks)
            continue
        if part == "painted":
            prepare, column = painter(autoencoder), 1
        elif arguments.denoiser is None:
            parser.error("sdedit needs --denoiser")
        else:
            prepare, column = stylizer(autoencoder, arguments.denoiser), 0
        report(prepare, noises, list(views(column, arguments.views)), arguments.frames, high_pass=part == "sdedit")


def autoencoder_option(parser: argparse.ArgumentParser) -> TinyAutoencoder:
    path = autoencoder_path()
    if path is None:
        parser.error(f"set {VARIABLE} to the autoencoder's file")
    return TinyAutoencoder(path)


def report_whiteness(banks: dict[int, FilterBank]) -> None:
    """Means, variances and covariances of the channels over SAMPLES cells, in standard errors of white noise."""
    for scale, bank in banks.items():
        generator = torch.Generator().manual_seed(0)
        total = torch.zeros(CHANNELS, dtype=torch.float64)
        products = torch.zeros(CHANNELS, CHANNELS, dtype=torch.float64)
        count = 0
        while count < SAMPLES:
            noise = torch.randn(bank.noise_shape(TILE, TILE), generator=generator)
            values = bank.project(noise).flatten(1).double()
            total += values.sum(1)
            products += values @ values.T
            count += values.shape[1]
        deviations = (products / count - torch.eye(CHANNELS)) * count**0.5
        own = deviations.diagonal() / 2**0.5
        pairs = deviations[tuple(torch.triu_indices(CHANNELS, CHANNELS, 1))]
        worst = {"mean": total / count**0.5, "variance": own, "covariance": pairs}
        shown = ", ".join(f"{name} {float(errors.abs().max()):.2f}" for name, errors in worst.items())
        print(f"scale {scale}, {count} samples, largest deviation in standard errors: {shown}", flush=True)


def make_noises(banks: dict[int, FilterBank], seed: int, frames: int, names: list[str] | None) -> dict[str, Noise]:
    generator = torch.Generator().manual_seed(seed)
    width = SIZE + max(PANS) * (frames - 1)
    pixels = torch.randn((1, 3, SIZE, width), generator=generator)
    latents = torch.randn((1, CHANNELS, SIZE, width), generator=generator)

    def pooled(pan: int, frame: int) -> Tensor:
        noise: Tensor = F.avg_pool2d(latents[..., pan * frame : pan * frame + SIZE], CELL) * CELL
        return noise

    def aligned(scale: int) -> Noise:
        def noise(pan: int, frame: int) -> Tensor:
            field = pixels[..., pan * frame : pan * frame + SIZE]
            return banks[scale].project(F.avg_pool2d(field, scale) * scale)

        return noise

    def random(pan: int, frame: int) -> Tensor:
        own = torch.Generator().manual_seed(seed * 1000 + frame + 1)
        return torch.randn((1, CHANNELS, SIZE // CELL, SIZE // CELL), generator=own)

    made = {
        "random": random,
        "fixed": lambda pan, frame: pooled(0, 0),
        "pooled": pooled,
        "aligned, half size": aligned(2),
        "aligned": aligned(1),
    }
    return {name: noise for name, noise in made.items() if names is None or name in ("random", *names)}


def report(
    prepare: Callable[[Tensor], Edit],
    noises: list[dict[str, Noise]],
    pictures: list[Tensor],
    frames: int,
    high_pass: bool,
) -> None:
    figures = {name: np.zeros((len(LAGS), len(PANS))) for name in noises[0]}
    gradients = dict.fromkeys(noises[0], 0.0)
    for column, pan in enumerate(PANS):
        for picture in pictures:
            edit = prepare(torch.cat([picture[..., pan * t : pan * t + SIZE] for t in range(frames)]))
            for name, noise in [pair for each in noises for pair in each.items()]:
                out = edit(torch.cat([noise(pan, t) for t in range(frames)]))
                gradients[name] += float(out.diff(dim=-1).square().mean() + out.diff(dim=-2).square().mean())
                seen = out - blurred(out) if high_pass else out
                for row, lag in enumerate(LAGS):
                    pairs = [incoherence(seen[t - lag], seen[t], pan * lag) for t in range(lag, frames)]
                    figures[name][row, column] += np.mean(pairs) / len(pictures) / len(noises)
    columns = [f"{pan} px, lag {lag}" for lag in LAGS for pan in PANS]
    print(f"{'incoherence':>20}" + "".join(f"{name:>13}" for name in columns) + f"{'gradient':>11}")
    for name, table in figures.items():
        cells = "".join(f"{figure:13.3f}" for figure in table.flatten())
        print(f"{name:>20}{cells}{gradients[name] / gradients['random']:11.3f}", flush=True)


def incoherence(old: Tensor, new: Tensor, shift: int) -> float:
    a = old[:, BORDER:-BORDER, BORDER + shift : SIZE - BORDER]
    b = new[:, BORDER:-BORDER, BORDER : SIZE - BORDER - shift]
    return float((a - b).square().sum() / ((a - a.mean()).square().sum() + (b - b.mean()).square().sum()))


def painter(autoencoder: TinyAutoencoder) -> Callable[[Tensor], Edit]:
    def prepare(shot: Tensor) -> Edit:
        latents = autoencoder.encode(shot)
        plain = autoencoder.decode(latents)
        return lambda noise: autoencoder.decode(latents + AMOUNT * noise) - plain

    return prepare


def stylizer(autoencoder: TinyAutoencoder, folder: Path) -> Callable[[Tensor], Edit]:
    """SDEdit with a denoiser that predicts the velocity n - x_0 of x_s = (1 - s) x_0 + s n."""
    from diffusers import UNet2DModel

    network: Any = UNet2DModel.from_pretrained(folder)
    network = network.float().eval().requires_grad_(False)
    times = torch.linspace(STRENGTH, 0, STEPS + 1)

    def prepare(shot: Tensor) -> Edit:
        view = autoencoder.encode(shot)

        def stylize(noise: Tensor) -> Tensor:
            x = (1 - times[0]) * view + times[0] * noise
            for now, after in pairwise(times):
                with torch.autocast("cpu", torch.bfloat16, enabled=computes_bfloat16()):
                    velocity = network(torch.cat([x, view], 1), now * 1000).sample
                x = x + (after - now) * velocity.float()
            pictures: Tensor = autoencoder.decode(x).clamp(0, 1)
            return pictures

        return stylize

    return prepare


def blurred(pictures: Tensor) -> Tensor:
    planes = pictures.flatten(0, 1).numpy()
    return torch.from_numpy(np.stack([cv2.GaussianBlur(plane, (0, 0), 3) for plane in planes])).view_as(pictures)


def views(column: int, count: int) -> Iterator[Tensor]:
    """Tiles of the sheet: column 0 has plain renders, column 1 path-traced ones."""
    sheet = np.asarray(Image.open(SHEET).convert("RGB"))
    for row in range(count):
        tile = sheet[TOP + TILE * row : TOP + TILE * (row + 1), TILE * column : TILE * (column + 1)]
        middle = (TILE - SIZE) // 2
        picture = torch.from_numpy(tile[middle : middle + SIZE].astype(np.float32) / 255).permute(2, 0, 1)
        yield picture[None]


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
