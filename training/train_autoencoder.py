"""Trains the latent model's autoencoder.

    python -m training.train_autoencoder training/data training/runs/autoencoder --steps 3000
    python -m training.train_autoencoder training/data training/runs/autoencoder --steps 3000 --resume

It learns to reconstruct pictures with and without colored noise, and to encode this noise as white latents. Then the
decoder renders white latents as colored noise that moves with the picture, and decoder-aligned noise has patterns to
use.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from diffusers import AutoencoderTiny
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from training.dataset import read_pixels, split
from training.latents import make_autoencoder
from training.styles import STYLES

KINDS = ("plain", "photo", *STYLES[1:])
REDUCED = (1.0, 2.0)
"""How many times the crop's size a piece of a picture is taken at before it is scaled."""

NOISE = 0.25
"""Standard deviation of the noise in pictures from -1 to 1: half of the pictures' own."""

LATENT_NOISE = 0.5
"""Standard deviation that this noise is to have in the latents. So latents of pictures have a unit's."""

CHROMA = 0.25
"""Standard deviation of the noise's colors, of that of its brightness: about that of pictures."""

WHITENESS = 0.3
"""Weight of the noise's covariance in the loss."""

EDGES = 1.0
"""Weight of the error of differences between neighbors."""

RATE = 2e-3


class Pictures:
    """All training pictures in memory, and random crops of them."""

    def __init__(self, data: Path, crop: int, batch: int, seed: int) -> None:
        self.data, self.crop, self.batch, self.seed = data, crop, batch, seed
        self.pictures: dict[Path, NDArray[np.uint8]] = {}
        self.refresh()

    def refresh(self) -> None:
        """Loads pictures that have been rendered or painted since the last call."""
        views, _ = split(self.data)
        for path in (self.data / kind / view for kind in KINDS for view in views):
            if path not in self.pictures and path.exists():
                self.pictures[path] = read_pixels(path)
        self._names = sorted(self.pictures)

    def sample(self, step: int) -> Tensor:
        """The batch of a step, (b, 3, crop, crop) in [-1, 1]."""
        rng = np.random.default_rng((self.seed, step))
        return torch.from_numpy(np.stack([self._crop(rng) for _ in range(self.batch)]))

    def _crop(self, rng: np.random.Generator) -> NDArray[np.float32]:
        picture = self.pictures[self._names[rng.integers(len(self._names))]]
        height, width = picture.shape[:2]
        size = int(min(self.crop * rng.uniform(*REDUCED), height, width))
        y, x = rng.integers(height - size + 1), rng.integers(width - size + 1)
        piece = picture[y : y + size, x : x + size].astype(np.float32) / np.float32(127.5)
        piece = np.asarray(cv2.resize(piece, (self.crop, self.crop), interpolation=cv2.INTER_AREA), np.float32)
        piece = np.rot90(piece, int(rng.integers(4)))[:, :: rng.choice((1, -1))]
        gain = rng.uniform(0.7, 1.3) * rng.uniform(0.85, 1.15, 3)
        return np.ascontiguousarray(np.clip(piece * gain - 1, -1, 1).transpose(2, 0, 1), np.float32)


def colored_noise(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """(b, 3, h, w): Gaussian, unit variance, amplitudes falling with the frequency as those of pictures do, nothing
    beyond what four pixels can show, and little color."""
    height, width = shape[-2:]
    f = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None])  # cycles a pixel
    response = (1 - (f / 0.45).square()).clamp(min=0) / (f + 1 / 24)
    field = torch.fft.irfft2(torch.fft.rfft2(torch.randn(shape, generator=generator)) * response, s=(height, width))
    grey = torch.randn(shape[0], 1, height, width, generator=generator)
    grey = torch.fft.irfft2(torch.fft.rfft2(grey) * response, s=(height, width))
    scale = response.square()
    scale[:, 1 : (width + 1) // 2] *= 2  # the half that rfft leaves out
    return (grey + CHROMA * field) / math.sqrt(float(scale.sum()) / (height * width) * (1 + CHROMA**2))


def whiteness(change: Tensor) -> Tensor:
    """The deviation of (b, c, h, w) from white noise of unit variance: the squared error of the covariance of the
    channels of a cell and its neighbors, per channel."""
    near = [change[..., :-1, :-1], change[..., 1:, :-1], change[..., :-1, 1:]]
    rows = torch.cat(near, dim=1).movedim(1, -1).flatten(0, -2)
    covariance = rows.T @ rows / len(rows)
    return (covariance - torch.eye(len(covariance))).square().sum() / len(covariance)


def loss(network: AutoencoderTiny, pictures: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """The loss that is minimized, the mean squared error of the reconstruction, and the deviation from whiteness."""
    noisy = pictures + NOISE * colored_noise(tuple(pictures.shape), generator)
    latents, of_noisy = network.encode(torch.cat([pictures, noisy])).latents.chunk(2)
    white = whiteness((of_noisy - latents) / LATENT_NOISE)
    half = len(pictures) // 2
    shown = torch.cat([pictures[:half], noisy[half:]])
    painted = network.decode(torch.cat([latents[:half], of_noisy[half:]])).sample
    error = painted - shown
    edges = (error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()) / 2
    return error.abs().mean() + EDGES * edges + WHITENESS * white, error[:half].square().mean().detach(), white.detach()


def save(folder: Path, network: AutoencoderTiny, optimizer: torch.optim.Adam, step: int) -> None:
    """Writes the complete state of a training run. The files appear whole or not at all."""
    beside = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    network.save_pretrained(beside)
    moments = {
        f"{index}.{name}": torch.as_tensor(value).contiguous()
        for index, values in optimizer.state_dict()["state"].items()
        for name, value in values.items()
    }
    save_file(moments, beside / "optimizer.safetensors")
    (beside / "state.json").write_text(json.dumps({"step": step}) + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    beside.rename(folder)


def load(folder: Path, network: AutoencoderTiny, optimizer: torch.optim.Adam) -> int:
    """Restores both in place and returns the step. Raises SystemExit if there is no checkpoint."""
    if not (folder / "state.json").exists():
        raise SystemExit(f"{folder}: no checkpoint there (state.json is missing); train without --resume first")
    network.load_state_dict(AutoencoderTiny.from_pretrained(folder, use_safetensors=True).state_dict())
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in load_file(folder / "optimizer.safetensors").items():
        index, name = key.split(".", 1)
        moments.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    return int(json.loads((folder / "state.json").read_text())["step"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path, help="folder for the checkpoint, which is a model folder too")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--steps", type=int, default=3000, help="default %(default)s")
    parser.add_argument("--plan", type=int, help="steps after which the learning rate is low (default: --steps)")
    parser.add_argument("--batch", type=int, default=12, help="default %(default)s")
    parser.add_argument("--crop", type=int, default=64, help="pixels (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="default %(default)s")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default %(default)s)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    torch.manual_seed(options.seed)
    network: Any = make_autoencoder()  # diffusers' `to` has a wrong type
    network = network.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.Adam(network.parameters(), RATE, betas=(0.9, 0.99))
    if options.run.exists() and not options.resume:
        raise SystemExit(f"{options.run} exists: give --resume to go on from it, or another folder")
    step = load(options.run, network, optimizer) if options.resume else 0
    pictures = Pictures(options.data, options.crop, options.batch, options.seed)
    begin, seen = time.monotonic(), torch.zeros(2)
    while step < options.steps:
        generator = torch.Generator().manual_seed(options.seed * 1_000_003 + step)
        for group in optimizer.param_groups:
            done = min(1, step / (options.plan or options.steps))
            group["lr"] = RATE * min(1, (step + 1) / 50) * (0.02 + 0.98 * (0.5 + 0.5 * math.cos(math.pi * done)))
        batch = pictures.sample(step).to(memory_format=torch.channels_last)
        objective, *shown = loss(network, batch, generator)
        optimizer.zero_grad()
        objective.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        step += 1
        seen += torch.stack(shown)
        if step % 100 == 0 or step == options.steps:
            error, white = (seen / (step % 100 or 100)).tolist()
            seen.zero_()
            decibel = 10 * math.log10(4 / error)
            print(f"step {step}: {decibel:.2f} dB, whiteness {white:.3f}, {time.monotonic() - begin:.0f} s", flush=True)
            save(options.run, network, optimizer, step)
            pictures.refresh()


if __name__ == "__main__":
    main()
