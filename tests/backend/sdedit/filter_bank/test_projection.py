"""Latent noise projected from pixel noise: white for every size and layout, and moving with the pixels."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import Tensor
from warpnoise.sdedit.filter_bank import FilterBank

from .decoders import pixel_decoder, random_decoder

pytestmark = pytest.mark.slow

SAMPLES = 10**6
STANDARD_ERRORS = 4.0

BANKS = [(4, 4, 1), (16, 4, 1), (4, 8, 2), (32, 8, 2), (8, 32, 4)]
"""(channels, cell, scale): SD and SDXL, FLUX.1 and SD 3, half-size noise, FLUX.2, DC-AE."""


@cache
def bank_of(channels: int, cell: int, scale: int) -> FilterBank:
    return FilterBank.measure(random_decoder(channels, cell), channels=channels, cell=cell, scale=scale)


def matrix_of(bank: FilterBank, rows: int, columns: int) -> Tensor:
    """The linear map from the pixel noise of rows x columns cells to its latents, one row for each latent."""
    height, width = rows * bank.size, columns * bank.size
    units = torch.eye(3 * height * width).view(-1, 3, height, width)
    return bank.project(units).flatten(1).T


@pytest.mark.parametrize(("channels", "cell", "scale"), BANKS)
def test_patterns_are_orthonormal_on_every_size(channels: int, cell: int, scale: int) -> None:
    bank = bank_of(channels, cell, scale)
    for rows, columns in ((1, 1), (2, 3), (5, 4)):
        product = (matrix := matrix_of(bank, rows, columns)) @ matrix.T
        assert (product - torch.eye(len(product))).abs().max() < 3e-6, (rows, columns)


@pytest.mark.parametrize(("channels", "cell", "scale"), BANKS[:3])
def test_latents_are_white_for_each_channel_and_pair(channels: int, cell: int, scale: int) -> None:
    bank = bank_of(channels, cell, scale)
    generator = torch.Generator().manual_seed(21)
    side, total, samples = 128, torch.zeros((25, channels, channels), dtype=torch.float64), 0
    while samples < SAMPLES:
        z = bank.project(torch.randn((3, side * bank.size, side * bank.size), generator=generator))
        flat = z.flatten(1)
        lags = [(dy, dx) for dy in range(5) for dx in range(5)]
        total += torch.stack([flat @ z.roll(lag, (1, 2)).flatten(1).T for lag in lags])
        samples += side * side
    mean = total / samples
    mean[0] -= torch.eye(channels)
    error = torch.full_like(mean, samples**-0.5)
    error[0].diagonal().fill_((2 / samples) ** 0.5)
    off = mean / error
    assert off[0].abs().max() < STANDARD_ERRORS  # channels and pairs of channels within a cell
    # Between cells there are thousands of figures, and a few are further off by chance: together they are not.
    squares = off[1:].square()
    assert abs(float(squares.mean()) - 1) < STANDARD_ERRORS * (2 / squares.numel()) ** 0.5


def test_a_flaw_of_a_patterns_correlation_is_noticed() -> None:
    """The matrix test without the whitening step."""
    bank = bank_of(16, 4, 1)
    raw = torch.nn.functional.conv2d(torch.eye(3 * 20 * 20).view(-1, 3, 20, 20), bank.patterns, stride=4).flatten(1).T
    product = raw @ raw.T
    assert (product - torch.eye(len(product))).abs().max() > 1e-4


@pytest.mark.parametrize(("channels", "cell", "scale"), BANKS)
def test_projection_commutes_with_whole_cell_shifts(channels: int, cell: int, scale: int) -> None:
    bank = bank_of(channels, cell, scale)
    noise = torch.randn((2, 3, 6 * bank.size, 5 * bank.size), generator=torch.Generator().manual_seed(1))
    shifted = bank.project(noise.roll((2 * bank.size, -bank.size), (2, 3)))
    torch.testing.assert_close(shifted, bank.project(noise).roll((2, -1), (2, 3)), rtol=0, atol=5e-6)


def test_pixels_as_latents_are_recovered() -> None:
    """With as many channels as a cell has values, painting commutes with every shift."""
    bank = FilterBank.measure(pixel_decoder, channels=12, cell=2)
    assert bank.energy == pytest.approx(1, abs=1e-6)
    noise = torch.randn((1, 3, 10, 14), generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(pixel_decoder(bank.project(noise)), noise, rtol=0, atol=1e-5)


def test_what_is_painted_moves_with_the_noise() -> None:
    """By 1 px, an eighth of a cell, with fewer channels than a cell has values. Pooled noise: the same channels' noise,
    each summed over the cells of pixel noise."""
    channels, cell, size = 32, 8, 128
    decode = random_decoder(channels, cell)
    bank = bank_of(channels, cell, 1)
    generator = torch.Generator().manual_seed(3)
    noise = torch.randn((1, 3, size, size), generator=generator)
    before, after = (decode(bank.project(noise.roll(shift, 3))) for shift in (0, 1))
    aligned = incoherence(before.roll(1, 3), after)
    noise = torch.randn((1, channels, size, size), generator=generator)
    before, after = (decode(torch.nn.functional.avg_pool2d(noise.roll(shift, 3), cell) * cell) for shift in (0, 1))
    assert aligned < 0.75 * incoherence(before.roll(1, 3), after)


def incoherence(a: Tensor, b: Tensor) -> float:
    return float((a - b).square().mean() / (a.var() + b.var()))


def test_shapes_of_frames_that_are_no_whole_cells() -> None:
    bank = bank_of(4, 8, 2)
    assert bank.noise_shape(33, 47) == (3, 17, 24)
    assert bank.project(torch.zeros((2, 3, 17, 24))).shape == (2, 4, 5, 6)


def test_incomplete_cells_are_white_and_their_maps_independent() -> None:
    bank = bank_of(4, 4, 1)
    generator, maps = torch.Generator().manual_seed(4), 4000
    z = torch.stack([bank.project(torch.randn((3, 5, 7), generator=generator), k) for k in range(maps)]).flatten(1)
    covariance = z.T @ z / maps - torch.eye(z.shape[1])
    expected = torch.full_like(covariance, maps**-0.5)
    expected.diagonal().fill_((2 / maps) ** 0.5)
    assert (covariance / expected).abs().max() < STANDARD_ERRORS
    assert abs(float((z[1:] * z[:-1]).mean())) < STANDARD_ERRORS * z[1:].numel() ** -0.5


def test_incomplete_cells_are_the_same_in_all_frames_of_a_batch() -> None:
    bank = bank_of(4, 4, 1)
    noise = torch.randn((3, 5, 7), generator=torch.Generator().manual_seed(5))
    both = bank.project(torch.stack([noise, noise]), 3)
    assert torch.equal(both[0], both[1])
    torch.testing.assert_close(both[0], bank.project(noise, 3))
    assert not torch.allclose(both[0], bank.project(noise, 2))


def test_a_channel_too_few_is_refused() -> None:
    with pytest.raises(ValueError, match=r"noise must be \(3, h, w\)"):
        bank_of(4, 4, 1).project(torch.zeros((4, 8, 8)))
