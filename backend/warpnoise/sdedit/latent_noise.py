"""Noise for latents: decoder-aligned where the autoencoder can be measured, else pooled on the latents' grid."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Protocol

import torch

from warpnoise.sdedit.autoencoder import decode
from warpnoise.sdedit.editor import EditSettings
from warpnoise.sdedit.filter_bank import FilterBank, MeasurementError
from warpnoise.sdedit.folder import ModelFolder

log = logging.getLogger(__name__)

_FINEST_CELL = 8
"""Values of the noise on a side of a latent; for autoencoders with larger latents it is coarser than the pixels."""


class Aligned(Protocol):
    """Measures. ``measuring``: called with the share that is done, 0 to 1. Raises Cancelled."""

    def __call__(
        self, measuring: Callable[[float], None] | None = None, cancelled: Callable[[], bool] | None = None
    ) -> FilterBank | str | None: ...


class LatentNoise:
    """What noise an editor asks for, and how it becomes that of the latents.

    ``aligned``: the filter bank of decoder-aligned noise, or a sentence for the user: why there is none; None: the
    model's latents are pixels. Asked at most once, since measuring a decoder takes a while.
    """

    def __init__(self, folder: ModelFolder, aligned: Aligned) -> None:
        self._folder, self._measure = folder, aligned
        self._found: tuple[FilterBank | str | None] | None = None

    def bank(self, settings: EditSettings) -> FilterBank | None:
        """The patterns that the pixels' noise is read by; None: the noise is pooled on the latents' grid."""
        found = self._aligned(settings)
        return found if isinstance(found, FilterBank) else None

    def warnings(
        self,
        settings: EditSettings,
        measuring: Callable[[float], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> tuple[str, ...]:
        """A sentence for the user where the noise is pooled although it should be aligned. Measures, as `Aligned`."""
        found = self._aligned(settings, measuring, cancelled)
        if not isinstance(found, str):
            return ()
        return (
            f"{found} Warpnoise uses pooled noise instead: texture flickers where the picture moves by a fraction "
            "of a latent cell.",
        )

    def is_fine(self, settings: EditSettings) -> bool:
        """Whether its grid is finer than that of the latents, or the latents are pixels."""
        return self.bank(settings) is not None or self._folder.vae_factor == 1

    def shape(self, height: int, width: int, settings: EditSettings) -> tuple[int, int, int]:
        """(channels, height, width) of the noise for images of that many pixels."""
        bank = self.bank(settings)
        return self._folder.noise_shape(height, width) if bank is None else bank.noise_shape(height, width)

    def latents(self, noise: torch.Tensor, index: int, settings: EditSettings) -> torch.Tensor:
        """Noise map ``index``, (b, *shape) float32, as that of the latents, (b, c, h / f, w / f), white N(0, 1)."""
        bank = self.bank(settings)
        return noise if bank is None else bank.project(noise, map=index)

    def _aligned(
        self,
        settings: EditSettings,
        measuring: Callable[[float], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> FilterBank | str | None:
        if settings.latent_noise != "aligned":
            return None
        if self._found is None:
            self._found = (self._measure(measuring, cancelled),)
        return self._found[0]


def latent_noise(folder: ModelFolder, pipeline: Any, device: torch.device) -> LatentNoise:
    """The noise for a model; its decoder is measured when aligned noise is first asked for, and the result is kept in
    the user's cache."""

    @torch.no_grad()
    def decoded(latents: torch.Tensor) -> torch.Tensor:
        return decode(pipeline, latents)

    def measure(
        measuring: Callable[[float], None] | None = None, cancelled: Callable[[], bool] | None = None
    ) -> FilterBank | str | None:
        if "vae" not in folder.parts:
            return None  # its latents are pixels
        try:
            bank = FilterBank.load_or_measure(
                folder.part_digest("vae"),
                decoded,
                channels=folder.latent_channels,
                cell=folder.vae_factor,
                scale=max(1, folder.vae_factor // _FINEST_CELL),
                device=device,
                progress=measuring,
                cancelled=cancelled,
            )
        except MeasurementError as error:
            return str(error)
        log.info("%s: patterns make %.2f of what its decoder paints from noise equivariant", folder.name, bank.energy)
        return bank

    return LatentNoise(folder, measure)
