"""The impulse response of a decoder: the pixels that a unit of each latent channel adds, by central differences."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from warpnoise.errors import ModelError

Decode = Callable[[Tensor], Tensor]
"""(b, channels, H, W) latents as the denoiser sees them -> (b, 3, cell * H, cell * W) pixels."""

RESPONSE_CELLS = 3
"""The response is kept on 3 x 3 cells: 0.98 of its energy for the tiny FLUX.2 decoder."""

_LATENT_SIZE = 16
_BORDER = 2  # cells at the border of a decoded picture answer to its padding
_SPACING = RESPONSE_CELLS
_STEP = 0.5
_SMOOTHNESS = 1.2  # cells: the deviation of the Gaussian that white latents are blurred with
_SAMPLES = 64  # for each channel: the mean's error then has about 2 per cent of its energy


class MeasurementError(ModelError):
    """The decoder cannot be measured. Decoder-aligned noise does not work with it."""


def measure_response(
    decode: Decode,
    *,
    channels: int,
    cell: int,
    device: str | torch.device = "cpu",
    progress: Callable[[float], None] | None = None,
) -> Tensor:
    """The mean derivative of a decoder with respect to one latent, channel by channel.

    Each of a number of random latents is decoded twice: with ``_STEP`` added to single cells, and with it subtracted.
    The cells lie so far apart that their responses do not overlap, and hold channels and signs at random. The latents
    are smooth Gaussian fields of unit variance. With the tiny FLUX.2 decoder, their response leads to as much coherence
    as the response of rendered pictures; white latents are 3 to 9 per cent worse.

    Args:
        decode, channels, cell, device, progress: as ``FilterBank.measure``.

    Returns:
        (channels, 3, 3 * cell, 3 * cell) float64 on the CPU: pixels per unit, the cell itself in the middle.

    Raises:
        MeasurementError: the decoder fails, returns another size or NaN, or paints nothing for any channel.
    """
    generator = torch.Generator().manual_seed(channels * 1024 + cell)
    side = RESPONSE_CELLS * cell
    total = torch.zeros((channels, 3, side, side), dtype=torch.float64)
    counts = torch.zeros(channels, dtype=torch.int64)
    while int(counts.min()) < _SAMPLES:
        if progress is not None:
            progress(float(counts.clamp(max=_SAMPLES).double().mean()) / _SAMPLES)
        places = _places(generator)
        # The rarest channels first, so that all are sampled alike.
        order = torch.argsort(counts + torch.rand(channels, generator=generator))
        chosen = order[torch.arange(len(places)) % channels]
        signs = torch.randint(0, 2, (len(places),), generator=generator) * 2.0 - 1.0
        latents = _smooth(torch.randn((1, channels, _LATENT_SIZE, _LATENT_SIZE), generator=generator))
        change = torch.zeros_like(latents)
        change[0, chosen, places[:, 0], places[:, 1]] = _STEP * signs
        painted = _difference(decode, latents, change, cell, device)
        for (row, column), channel, sign in zip(places.tolist(), chosen.tolist(), signs.tolist(), strict=True):
            top, left = (row - 1) * cell, (column - 1) * cell
            total[channel] += sign * painted[:, top : top + side, left : left + side]
        counts += torch.bincount(chosen, minlength=channels)
    response = total / counts[:, None, None, None]
    if not bool((response.square().sum((1, 2, 3)) > 0).any()):
        raise MeasurementError("The decoder paints the same picture for all latents: it cannot be measured.")
    return response


def _smooth(white: Tensor) -> Tensor:
    """White noise blurred on a torus, of unit variance again."""
    frequency = torch.fft.fftfreq(_LATENT_SIZE)
    transfer = torch.exp(-2 * (torch.pi * _SMOOTHNESS * frequency) ** 2)
    transfer = transfer[:, None] * transfer
    transfer /= transfer.square().mean().sqrt()
    blurred: Tensor = torch.fft.ifft2(torch.fft.fft2(white) * transfer).real
    return blurred


def _places(generator: torch.Generator) -> Tensor:
    """(n, 2) rows and columns of cells at a distance of ``_SPACING``, at a random offset."""
    last = _LATENT_SIZE - _BORDER
    rows, columns = (
        torch.arange(_BORDER + int(torch.randint(0, _SPACING, (1,), generator=generator)), last, _SPACING)
        for _ in range(2)
    )
    return torch.cartesian_prod(rows, columns)


def _difference(decode: Decode, latents: Tensor, change: Tensor, cell: int, device: str | torch.device) -> Tensor:
    """(3, h, w) float64: the central difference of the decoder along ``change``, for each unit of the latents."""
    pair = torch.cat([latents + change, latents - change])
    try:
        with torch.no_grad():
            pictures = decode(pair.to(device)).cpu().double()
    except Exception as error:  # a library raises anything
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise MeasurementError(f"The decoder failed at latents of shape {tuple(pair.shape)}: {first_line}.") from error
    expected = (2, 3, _LATENT_SIZE * cell, _LATENT_SIZE * cell)
    if tuple(pictures.shape) != expected:
        raise MeasurementError(
            f"The decoder painted {tuple(pictures.shape)} for latents of shape {tuple(pair.shape)}; expected "
            f"{expected}: RGB, and square cells of {cell} pixels."
        )
    if not bool(pictures.isfinite().all()):
        raise MeasurementError("The decoder returned NaN or infinite pixels for latents of unit variance.")
    return (pictures[0] - pictures[1]) / (2 * _STEP)
