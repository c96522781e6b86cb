"""The latent models that the benchmarks of decoder-aligned noise run: a model folder, or the tests' autoencoder with a
denoiser of the pair (noisy latents, latents of the frame)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from warpnoise.job import Settings
from warpnoise.sdedit import load_model
from warpnoise.sdedit.autoencoder import decode, encode
from warpnoise.sdedit.device import computes_bfloat16
from warpnoise.sdedit.filter_bank.response import Decode
from warpnoise.sdedit.padding import pad_to, round_up
from warpnoise.sdedit.pixel import PixelEditor

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from backend.tiny_autoencoder import CELL, CHANNELS, VARIABLE, TinyAutoencoder, autoencoder_path

STRENGTH, STEPS = 0.6, 8

Edit = Callable[[Tensor, Tensor | None, Tensor], Tensor]
"""Frames (b, 3, h, w) in [0, 1], their geometry (b, 4, h, w) or None, and latent noise (b, channels, H, W), to
stylized frames."""


@dataclass(frozen=True)
class LatentModel:
    """``encode`` and ``decode``: between pictures, in any one range, and latents of unit variance. ``edit`` is None
    where there is an autoencoder alone."""

    channels: int
    cell: int
    encode: Callable[[Tensor], Tensor]
    decode: Decode
    edit: Edit | None

    def noise_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """(channels, H, W) of the latents of pictures of that size."""
        return self.channels, -(-height // self.cell), -(-width // self.cell)


def add_model_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, help="folder of a latent model without a prompt")
    parser.add_argument("--style", help="of that model (default: its first)")
    parser.add_argument(
        "--denoiser", type=Path, help=f"folder of a UNet2DModel in the latents of the autoencoder in ${VARIABLE}"
    )


def chosen_model(parser: argparse.ArgumentParser, options: argparse.Namespace) -> LatentModel:
    """The model that the options name; without one, the tests' autoencoder."""
    if options.model is not None:
        return of_folder(options.model, options.style)
    path = autoencoder_path()
    if path is None:
        parser.error(f"give --model, or set {VARIABLE} to the autoencoder's file")
    autoencoder = TinyAutoencoder(path)
    edit = None if options.denoiser is None else _denoising(autoencoder, options.denoiser)
    return LatentModel(CHANNELS, CELL, autoencoder.encode, autoencoder.decode, edit)


def of_folder(folder: Path, style: str | None = None) -> LatentModel:
    """A latent model as Warpnoise runs it."""
    editor = load_model(folder, "cpu")
    if not isinstance(editor, PixelEditor) or editor.vae is None:
        raise SystemExit(f"{folder}: expected a UNet2DModel, a scheduler and a VAE")
    settings = Settings(style=style, strength=STRENGTH, steps=STEPS, latent_noise="pooled")

    def edit(frames: Tensor, geometry: Tensor | None, noise: Tensor) -> Tensor:
        # To the editor, pooled noise is latent noise that is ready.
        return editor.edit(frames, lambda index: noise, settings, geometry=geometry)

    def encode_pictures(pictures: Tensor) -> Tensor:
        return encode(editor, pictures * 2 - 1)

    def decode_latents(latents: Tensor) -> Tensor:
        return decode(editor, latents) / 2 + 0.5

    return LatentModel(editor.folder.latent_channels, editor.folder.vae_factor, encode_pictures, decode_latents, edit)


def _denoising(autoencoder: TinyAutoencoder, folder: Path) -> Edit:
    """SDEdit with a denoiser that predicts the velocity n - x_0 of x_s = (1 - s) x_0 + s n."""
    from diffusers import UNet2DModel

    network: Any = UNet2DModel.from_pretrained(folder)
    network = network.float().eval().requires_grad_(False)
    times = torch.linspace(STRENGTH, 0, STEPS + 1)
    multiple = CELL * 2 ** (len(network.config.block_out_channels) - 1)

    def edit(frames: Tensor, geometry: Tensor | None, noise: Tensor) -> Tensor:
        height, width = frames.shape[-2:]
        padded = round_up(height, multiple), round_up(width, multiple)
        view = autoencoder.encode(pad_to(frames, *padded))
        x = (1 - times[0]) * view + times[0] * pad_to(noise, *view.shape[-2:])
        for now, after in pairwise(times):
            with torch.autocast("cpu", torch.bfloat16, enabled=computes_bfloat16()):
                velocity = network(torch.cat([x, view], 1), now * 1000).sample
            x = x + (after - now) * velocity.float()
        pictures: Tensor = autoencoder.decode(x)[..., :height, :width].clamp(0, 1)
        return pictures

    return edit
