"""The patterns that project pixel noise to latent noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from warpnoise.sdedit.filter_bank import cache
from warpnoise.sdedit.filter_bank.patterns import CELLS, choose_patterns, equivariant_share
from warpnoise.sdedit.filter_bank.response import Decode, MeasurementError, measure_response
from warpnoise.sdedit.filter_bank.whitening import MAX_DEVIATION, Whitening, correlations, deviation

_CHOOSING = 0.1  # the share of the progress that is left when the response is measured
_EDGE_SEED = 0x5EED


@dataclass(frozen=True)
class FilterBank:
    """A para-unitary filter bank: patterns P_c that are orthonormal under shifts by whole cells.

    Latent noise is z_c(cell) = sum over x of P_c(x) n(size * cell + x), n being white pixel noise with three colours.
    Because the patterns are orthonormal, z is white N(0, 1) if n is. They are chosen so that the decoder paints z where
    n is.

    Attributes:
        patterns: (channels, 3, CELLS * size, CELLS * size) float32, the cell itself in the middle; size = cell / scale.
            Nearly orthonormal: ``project`` removes the remaining correlations between cells (``Whitening``).
        cell: pixels on a side of a latent.
        scale: pixels on a side of a value of the noise.
        energy: share of the energy which the decoder paints from noise that moves with the noise, whatever the motion;
            0 to 1, for its mean response.
    """

    patterns: Tensor
    cell: int
    scale: int
    energy: float
    _whitenings: list[Whitening] = field(default_factory=list, init=False, repr=False, compare=False)

    @classmethod
    def measure(
        cls,
        decode: Decode,
        *,
        channels: int,
        cell: int,
        scale: int = 1,
        device: str | torch.device = "cpu",
        progress: Callable[[float], None] | None = None,
        digest: str | None = None,
        folder: Path | None = None,
    ) -> FilterBank:
        """Measure a decoder and choose the patterns for it, or load what an earlier call stored.

        Args:
            decode: (b, channels, H, W) float32 latents as the denoiser sees them (of unit variance) -> (b, 3, cell * H,
                cell * W) pixels of any range.
            channels: of the latents.
            cell: pixels on a side of a latent.
            scale: pixels on a side of a value of the noise. 2 is noise of half the size, which costs a quarter. A cell
                needs at least as many values, 3 * (cell / scale) ** 2, as there are channels.
            device: where ``decode`` takes its latents, and where the patterns are returned.
            progress: called before each decoding and at the end with the share that is done, in [0, 1]. What it raises
                ends the measuring.
            digest: of the VAE's weights and configuration, in hexadecimal. None: nothing is stored or loaded.
            folder: where banks are stored. None: the folder that the environment variable WARPNOISE_CACHE names, else
                the user's cache. If the folder cannot be written, nothing is stored.

        Raises:
            MeasurementError: the decoder fails, returns another size or NaN, or has too many channels for ``scale``.
            ValueError: ``scale`` does not divide ``cell``.
        """
        _check_sizes(channels, cell, scale)

        def measured() -> cache.Stored:
            report = progress or (lambda share: None)
            response = measure_response(
                decode,
                channels=channels,
                cell=cell,
                device=device,
                progress=lambda share: report((1 - _CHOOSING) * share),
            )
            bank = cls.from_response(response, cell=cell, scale=scale)
            report(1.0)
            return bank.patterns, bank.energy

        if digest is None:
            patterns, energy = measured()
        else:
            side = CELLS * cell // scale
            made_of = digest, channels, cell, scale
            patterns, energy = cache.load_or_make(made_of, (channels, 3, side, side), folder, measured)
        return cls(patterns.to(device), cell, scale, energy)

    @classmethod
    def from_response(cls, response: Tensor, *, cell: int, scale: int = 1) -> FilterBank:
        """Choose the patterns for a response that ``measure_response`` returned.

        Raises:
            MeasurementError: the channels are too many for ``scale``, or paint too much alike.
            ValueError: ``scale`` does not divide ``cell``.
        """
        _check_sizes(len(response), cell, scale)
        patterns = choose_patterns(response, cell, scale)
        if not deviation(correlations(patterns, cell // scale)) < MAX_DEVIATION:
            raise MeasurementError("The decoder's channels paint too much alike: no orthonormal patterns are near it.")
        return cls(patterns.float(), cell, scale, equivariant_share(patterns, response, cell, scale))

    @property
    def channels(self) -> int:
        return len(self.patterns)

    @property
    def size(self) -> int:
        """Values of the noise on a side of a cell."""
        return self.cell // self.scale

    def noise_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """(3, h, w) of the pixel noise for pictures of ``height`` x ``width`` pixels."""
        return 3, -(-height // self.scale), -(-width // self.scale)

    def project(self, noise: Tensor, map: int = 0) -> Tensor:  # noqa: A002 - as NoiseMethod.frame has it
        """Project pixel noise to latent noise, so that what the decoder paints moves with the pixel noise.

        A pattern is larger than its cell. Beyond the frame, it reads the opposite border: patterns that are orthonormal
        on the plane are orthonormal on a torus, too, while noise reflected at a border would be read twice. If the last
        cell is incomplete, independent values complete it, the same in all frames.

        Args:
            noise: (3, h, w) or (b, 3, h, w), white N(0, 1).
            map: number of the noise map. Maps are independent of each other, and so are the values that complete them.

        Returns:
            (channels, H, W) or (b, channels, H, W), white N(0, 1), on the noise's device.

        Raises:
            ValueError: the noise has another shape.
        """
        if noise.ndim not in (3, 4) or noise.shape[-3] != self.patterns.shape[1]:
            raise ValueError(f"noise must be (3, h, w) or (b, 3, h, w), got {tuple(noise.shape)}")
        if noise.ndim == 3:
            return self.project(noise[None], map)[0]
        noise = self._whole_cells(noise, map)
        margin = CELLS // 2 * self.size
        for dim in (-2, -1):
            count = noise.shape[dim]
            noise = noise.index_select(dim, torch.arange(-margin, count + margin, device=noise.device) % count)
        latents = F.conv2d(noise, self.patterns.to(noise), stride=self.size)
        return self._whitened(latents)

    def _whitened(self, latents: Tensor) -> Tensor:
        # Apple's GPUs lack some complex operations; latents are small enough to go to the CPU and back.
        device = latents.device if latents.device.type in ("cpu", "cuda") else torch.device("cpu")
        size = (latents.shape[-2], latents.shape[-1])
        if not self._whitenings or (self._whitenings[0].size, self._whitenings[0].device) != (size, device):
            lags = correlations(self.patterns.cpu(), self.size)
            self._whitenings[:] = [Whitening(lags, *size, device)]
        return self._whitenings[0](latents.to(device)).to(latents.device)

    def _whole_cells(self, noise: Tensor, map_: int) -> Tensor:
        height, width = noise.shape[-2:]
        missing = (-height % self.size, -width % self.size)
        if not any(missing):
            return noise
        generator = torch.Generator().manual_seed(_EDGE_SEED + map_)
        for dim, count in ((-2, missing[0]), (-1, missing[1])):
            shape = list(noise.shape[1:])
            shape[dim] = count
            values = torch.randn(shape, generator=generator).to(noise)
            noise = torch.cat([noise, values.expand(len(noise), *shape)], dim)
        return noise


def _check_sizes(channels: int, cell: int, scale: int) -> None:
    if channels < 1 or cell < 1 or scale < 1 or cell % scale:
        raise ValueError(
            f"channels, cell and scale must be positive and scale must divide cell, got {channels}, {cell} and {scale}"
        )
    values = 3 * (cell // scale) ** 2
    if values < channels:
        raise MeasurementError(
            f"A cell of {cell} x {cell} pixels holds {values} values of noise at scale {scale}; the latents have "
            f"{channels} channels. Use a smaller scale."
        )
