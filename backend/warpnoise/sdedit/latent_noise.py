"""Noise for latents: decoder-aligned where the autoencoder can be measured, else pooled on the latents' grid."""

from __future__ import annotations

from typing import Any

import torch

from warpnoise.hashing import digest_files
from warpnoise.sdedit.autoencoder import decode
from warpnoise.sdedit.filter_bank import FilterBank, MeasurementError
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.model_files import component, find_weights

_FINEST_CELL = 8
"""Values of the noise on a side of a latent; for autoencoders with larger latents it is coarser than the pixels."""


class LatentNoise:
    """What noise an editor asks for, and how it becomes that of the latents.

    ``warning``: a sentence for the user where the noise is pooled although there is an autoencoder.
    """

    def __init__(self, folder: ModelFolder, bank: FilterBank | None, warning: str | None = None) -> None:
        self._folder, self._bank, self.warning = folder, bank, warning

    @property
    def is_fine(self) -> bool:
        """Whether its grid is finer than that of the latents, or the latents are pixels."""
        return self._bank is not None or self._folder.vae_factor == 1

    def shape(self, height: int, width: int) -> tuple[int, int, int]:
        """(channels, height, width) of the noise for images of that many pixels."""
        if self._bank is not None:
            return self._bank.noise_shape(height, width)
        return self._folder.noise_shape(height, width)

    def latents(self, noise: torch.Tensor, index: int) -> torch.Tensor:
        """Noise map ``index``, (b, *shape) float32, as that of the latents, (b, c, h / f, w / f), white N(0, 1)."""
        return noise if self._bank is None else self._bank.project(noise, map=index)


def latent_noise(folder: ModelFolder, pipeline: Any, device: torch.device) -> LatentNoise:
    """The noise for a model; its decoder is measured once, and the result is kept in the user's cache."""
    if "vae" not in folder.parts:
        return LatentNoise(folder, None)  # its latents are pixels
    place = component(folder.path, "vae")
    digest = digest_files(place, [place / "config.json", *find_weights(place)[0]])

    @torch.no_grad()
    def decoded(latents: torch.Tensor) -> torch.Tensor:
        return decode(pipeline, latents)

    try:
        bank = FilterBank.load_or_measure(
            digest,
            decoded,
            channels=folder.latent_channels,
            cell=folder.vae_factor,
            scale=max(1, folder.vae_factor // _FINEST_CELL),
            device=device,
        )
    except MeasurementError as error:
        return LatentNoise(
            folder,
            None,
            f"{error} Warpnoise uses pooled noise instead: texture flickers where the picture moves by less than a "
            "latent cell.",
        )
    return LatentNoise(folder, bank)
