"""What a decoder paints from latent noise: does it move with the picture?

    python benchmarks/decoder_aligned_noise.py [painted] [white] --model FOLDER
    WARPNOISE_TEST_AUTOENCODER=FILE python benchmarks/decoder_aligned_noise.py [painted] [white]

FILE is the tiny FLUX.2 autoencoder that the tests use. Views of docs/images/model/data.jpg are panned by 1, 2, 4 and 8
px a frame. For a pan, exact noise is one white field, shifted and integrated over the cells.

painted: half of a latent's deviation of noise is added to a view's latents; the difference of the decoded pictures is
    what the noise paints.
white: mean, variance and covariances of the latent noise's channels.

Incoherence: half the mean squared difference of two frames, moved by the true motion, over their variance; 0 moves
with the scene, 1 is unrelated. Gradient energy: the mean squared difference of neighbouring pixels over that of random
noise; what averages or doubles falls below 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from warpnoise.sdedit.filter_bank import FilterBank, MeasurementError
from warpnoise.sdedit.filter_bank.response import measure_response

sys.path.insert(0, str(Path(__file__).resolve().parent))

from latent_models import LatentModel, add_model_options, chosen_model

SHEET = Path(__file__).resolve().parents[1] / "docs" / "images" / "model" / "data.jpg"
TILE, TOP = 256, 18
PATH_TRACED = 1
"""The column of the sheet."""
PANS = (1, 2, 4, 8)
LAGS = (1, 4)
SIZE = 128
BORDER = 16
AMOUNT = 0.5
SAMPLES = 1_000_000

Noise = Callable[[int, int], Tensor]
"""(pan, frame) -> (1, channels, H, W)."""

Paint = Callable[[Tensor], Tensor]
"""Noise (frames, channels, H, W) -> pictures (frames, 3, h, w) of one shot."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=("painted", "white"), default="painted")
    add_model_options(parser)
    parser.add_argument("--views", type=int, default=2)
    parser.add_argument("--frames", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    arguments = parser.parse_args()
    model = chosen_model(parser, arguments)
    banks = measured_banks(model)
    for part in [arguments.parts] if isinstance(arguments.parts, str) else arguments.parts:
        print(part)
        if part == "white":
            report_whiteness(banks)
        else:
            seeds = range(arguments.seed, arguments.seed + arguments.seeds)
            noises = [make_noises(model, banks, seed, arguments.frames) for seed in seeds]
            report(model, noises, list(views(PATH_TRACED, arguments.views)), arguments.frames)


def measured_banks(model: LatentModel) -> dict[int, FilterBank]:
    """By scale: noise of whole and of half size, where a cell holds enough of it."""
    response = measure_response(model.decode, channels=model.channels, cell=model.cell)
    banks = {}
    for scale in (1, 2):
        try:
            bank = banks[scale] = FilterBank.from_response(response, cell=model.cell, scale=scale)
        except MeasurementError as error:
            print(f"scale {scale}: {error}", flush=True)
        else:
            print(f"scale {scale}: equivariant share of the mean response {bank.energy:.3f}", flush=True)
    return banks


def report_whiteness(banks: dict[int, FilterBank]) -> None:
    """Means, variances and covariances of the channels over SAMPLES cells, in standard errors of white noise."""
    for scale, bank in banks.items():
        generator = torch.Generator().manual_seed(0)
        total = torch.zeros(bank.channels, dtype=torch.float64)
        products = torch.zeros(bank.channels, bank.channels, dtype=torch.float64)
        count = 0
        while count < SAMPLES:
            noise = torch.randn(bank.noise_shape(TILE, TILE), generator=generator)
            values = bank.project(noise).flatten(1).double()
            total += values.sum(1)
            products += values @ values.T
            count += values.shape[1]
        deviations = (products / count - torch.eye(bank.channels)) * count**0.5
        own = deviations.diagonal() / 2**0.5
        pairs = deviations[tuple(torch.triu_indices(bank.channels, bank.channels, 1))]
        worst = {"mean": total / count**0.5, "variance": own, "covariance": pairs}
        shown = ", ".join(f"{name} {float(errors.abs().max()):.2f}" for name, errors in worst.items())
        print(f"scale {scale}, {count} samples, largest deviation in standard errors: {shown}", flush=True)


def make_noises(model: LatentModel, banks: dict[int, FilterBank], seed: int, frames: int) -> dict[str, Noise]:
    generator = torch.Generator().manual_seed(seed)
    width = SIZE + max(PANS) * (frames - 1)
    pixels = torch.randn((1, 3, SIZE, width), generator=generator)
    latents = torch.randn((1, model.channels, SIZE, width), generator=generator)

    def pooled(pan: int, frame: int) -> Tensor:
        noise: Tensor = F.avg_pool2d(latents[..., pan * frame : pan * frame + SIZE], model.cell) * model.cell
        return noise

    def aligned(scale: int) -> Noise:
        def noise(pan: int, frame: int) -> Tensor:
            field = pixels[..., pan * frame : pan * frame + SIZE]
            return banks[scale].project(F.avg_pool2d(field, scale) * scale)

        return noise

    def random(pan: int, frame: int) -> Tensor:
        own = torch.Generator().manual_seed(seed * 1000 + frame + 1)
        return torch.randn((1, *model.noise_shape(SIZE, SIZE)), generator=own)

    names = {1: "aligned", 2: "aligned, half size"}
    return {
        "random": random,
        "fixed": lambda pan, frame: pooled(0, 0),
        "pooled": pooled,
        **{names[scale]: aligned(scale) for scale in sorted(banks, reverse=True)},
    }


def report(model: LatentModel, noises: list[dict[str, Noise]], pictures: list[Tensor], frames: int) -> None:
    figures = {name: np.zeros((len(LAGS), len(PANS))) for name in noises[0]}
    gradients = dict.fromkeys(noises[0], 0.0)
    for column, pan in enumerate(PANS):
        for picture in pictures:
            paint = painter(model, torch.cat([picture[..., pan * t : pan * t + SIZE] for t in range(frames)]))
            for name, noise in [pair for each in noises for pair in each.items()]:
                out = paint(torch.cat([noise(pan, t) for t in range(frames)]))
                gradients[name] += float(out.diff(dim=-1).square().mean() + out.diff(dim=-2).square().mean())
                for row, lag in enumerate(LAGS):
                    pairs = [incoherence(out[t - lag], out[t], pan * lag) for t in range(lag, frames)]
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


def painter(model: LatentModel, shot: Tensor) -> Paint:
    latents = model.encode(shot)
    plain = model.decode(latents)
    return lambda noise: model.decode(latents + AMOUNT * noise) - plain


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
