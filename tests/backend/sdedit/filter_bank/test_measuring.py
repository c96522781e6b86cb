"""Measuring decoders: real autoencoder classes, progress, cancel, and decoders that cannot be measured."""

from __future__ import annotations

import pytest
import torch
from diffusers import AutoencoderDC, AutoencoderKL
from torch import Tensor
from warpnoise.errors import Cancelled, ModelError, stop_if
from warpnoise.sdedit.filter_bank import FilterBank, MeasurementError
from warpnoise.sdedit.filter_bank.response import measure_response

from .decoders import pixel_decoder, random_decoder


def test_the_response_of_a_linear_decoder_is_exact() -> None:
    response = measure_response(pixel_decoder, channels=12, cell=2)
    expected = torch.zeros((12, 3, 6, 6), dtype=torch.float64)
    expected[:, :, 2:4, 2:4] = pixel_decoder(torch.eye(12)[..., None, None])
    torch.testing.assert_close(response, expected, rtol=0, atol=1e-6)


def test_a_kl_autoencoder() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        vae = AutoencoderKL(
            latent_channels=4,
            block_out_channels=(8, 8),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            norm_num_groups=4,
        ).eval()
    bank = FilterBank.measure(lambda z: vae.decode(z, return_dict=False)[0], channels=4, cell=2)
    assert 0 < bank.energy <= 1


def test_a_deep_compression_autoencoder() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        vae = AutoencoderDC(
            latent_channels=8,
            attention_head_dim=4,
            encoder_block_out_channels=(8, 8, 8),
            decoder_block_out_channels=(8, 8, 8),
            encoder_layers_per_block=(1, 1, 1),
            decoder_layers_per_block=(1, 1, 1),
            encoder_block_types="ResBlock",
            decoder_block_types="ResBlock",
            encoder_qkv_multiscales=((), (), ()),
            decoder_qkv_multiscales=((), (), ()),
        ).eval()
    bank = FilterBank.measure(lambda z: vae.decode(z, return_dict=False)[0], channels=8, cell=4)
    assert 0 < bank.energy <= 1


def test_patched_statistics_are_measured_through_the_decoder() -> None:
    """FLUX.2 normalizes 2 x 2 latents as one: a channel that the statistics shrink paints less, all else is equal."""
    spread = torch.ones(48)
    spread[::4] = 0.5

    def decode(latents: Tensor) -> Tensor:
        patched = torch.pixel_unshuffle(latents, 2) * spread[None, :, None, None]
        return pixel_decoder(torch.pixel_shuffle(patched, 2))

    response = measure_response(decode, channels=12, cell=2)
    plain = measure_response(pixel_decoder, channels=12, cell=2)
    ratio = (response * plain).sum((1, 2, 3)) / plain.square().sum((1, 2, 3))
    assert ((ratio > 0.7) & (ratio < 0.97)).all()  # a quarter of the cells paints half: 0.875 on the average


def test_progress_rises_to_one() -> None:
    shares: list[float] = []
    FilterBank.measure(random_decoder(4, 4), channels=4, cell=4, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert len(shares) > 3


def test_cancelling_decodes_no_more() -> None:
    decoded = 0

    def decode(latents: Tensor) -> Tensor:
        nonlocal decoded
        decoded += 1
        return random_decoder(4, 4)(latents)

    def progress(share: float) -> None:
        stop_if(lambda: decoded == 2, "cancelled")

    with pytest.raises(Cancelled):
        FilterBank.measure(decode, channels=4, cell=4, progress=progress)
    assert decoded == 2


def test_measuring_leaves_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    FilterBank.measure(random_decoder(4, 4), channels=4, cell=4)
    assert torch.equal(before, torch.random.get_rng_state())


def fails(latents: Tensor) -> Tensor:
    raise RuntimeError("mat1 and mat2 do not fit\nmore")


BAD = {
    "NaN": (lambda z: random_decoder(4, 4)(z) * torch.nan, "NaN"),
    "one NaN pixel": (lambda z: random_decoder(4, 4)(z).index_fill(3, torch.tensor([5]), torch.inf), "infinite"),
    "cells that are not square": (lambda z: random_decoder(4, 4)(z)[..., ::2], "square cells"),
    "four colours": (lambda z: random_decoder(4, 4)(z)[:, [0, 1, 2, 2]], "RGB"),
    "the same picture always": (lambda z: torch.ones((len(z), 3, 64, 64)), "same picture"),
    "an error": (fails, "do not fit"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_decoder_that_cannot_be_measured(kind: str) -> None:
    decode, message = BAD[kind]
    with pytest.raises(MeasurementError, match=message) as caught:
        FilterBank.measure(decode, channels=4, cell=4)
    assert isinstance(caught.value, ModelError)


def test_fewer_values_than_channels() -> None:
    with pytest.raises(MeasurementError, match="holds 12 values of noise at scale 2; the latents have 16 channels"):
        FilterBank.measure(random_decoder(16, 4), channels=16, cell=4, scale=2)


def test_a_scale_that_does_not_divide_the_cell() -> None:
    with pytest.raises(ValueError, match="must divide"):
        FilterBank.measure(random_decoder(4, 4), channels=4, cell=4, scale=3)
