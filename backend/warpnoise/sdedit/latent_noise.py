"""Noise for latents: decoder-aligned if the autoencoder can be measured, otherwise pooled on the latent grid."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch

from warpnoise.sdedit.autoencoder import decode
from warpnoise.sdedit.edit_settings import EditSettings
from warpnoise.sdedit.filter_bank import FilterBank, MeasurementError
from warpnoise.sdedit.folder import ModelFolder

log = logging.getLogger(__name__)

_FINEST_CELL = 8
"""Values of the noise on a side of a latent; for autoencoders with larger latents it is coarser than the pixels."""


class LatentNoise:
    """Converts an editor's noise maps to noise for latents.

    The first request for aligned noise measures the decoder, and stores the result in the user's cache.
    """

    def __init__(self, folder: ModelFolder, pipeline: Any, device: torch.device) -> None:
        """``pipeline``: has the autoencoder as ``vae``."""
        self._folder, self._pipeline, self._device = folder, pipeline, device
        self._found: FilterBank | str | None = None

    def bank(self, settings: EditSettings, progress: Callable[[float], None] | None = None) -> FilterBank | None:
        """The patterns that read the pixel noise; None: the noise is pooled, or the latents are pixels.

        ``progress``: as for `FilterBank.measure`.
        """
        if settings.latent_noise != "aligned" or "vae" not in self._folder.parts:
            return None
        if self._found is None:
            self._found = self._measured(progress)
        return self._found if isinstance(self._found, FilterBank) else None

    def warnings(self, settings: EditSettings, progress: Callable[[float], None] | None = None) -> tuple[str, ...]:
        """A sentence for the user if the noise is pooled although it should be aligned. Measures, as ``bank``."""
        if self.bank(settings, progress) or settings.latent_noise != "aligned" or self._found is None:
            return ()
        return (
            f"{self._found} Warpnoise uses pooled noise instead: texture flickers where the picture moves by a "
            "fraction of a latent cell.",
        )

    def latents(self, noise: torch.Tensor, index: int, settings: EditSettings) -> torch.Tensor:
        """Noise map ``index``, (b, *noise_shape) float32, as noise of the latents, (b, c, h / f, w / f), N(0, 1)."""
        bank = self.bank(settings)
        return noise if bank is None else bank.project(noise, map=index)

    def _measured(self, progress: Callable[[float], None] | None) -> FilterBank | str:
        """The patterns, or a sentence that says why there are none."""
        folder = self._folder
        try:
            bank = FilterBank.measure(
                torch.no_grad()(lambda latents: decode(self._pipeline, latents)),
                channels=folder.latent_channels,
                cell=folder.vae_factor,
                scale=max(1, folder.vae_factor // _FINEST_CELL),
                device=self._device,
                progress=progress,
                digest=folder.part_digest("vae"),
            )
        except MeasurementError as error:
            return str(error)
        log.info("%s: patterns make %.2f of what its decoder paints from noise equivariant", folder.name, bank.energy)
        return bank
