"""Training the latent model's autoencoder."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderTiny

from training import train_autoencoder
from training.latents import make_autoencoder
from training.train_autoencoder import Pictures, colored_noise, loss, whiteness


def test_colored_noise_has_unit_variance_and_falls_with_the_frequency() -> None:
    noise = colored_noise((8, 3, 64, 64), torch.Generator().manual_seed(0))
    assert noise.var() == pytest.approx(1, abs=0.15)
    power = torch.fft.fft2(noise).abs().square().mean((0, 1))
    assert power[0, 2] > 4 * power[0, 8] > 16 * power[0, 24]
    assert (noise - noise.mean(1, keepdim=True)).var() < 0.1


def test_white_latents_are_white_and_others_are_not() -> None:
    white = torch.randn((16, 4, 32, 32), generator=torch.Generator().manual_seed(0))
    assert whiteness(white) < 0.01
    assert whiteness(2 * white) > 5
    assert whiteness(white + white.roll(1, 1)) > 1
    assert whiteness((white + white.roll(1, -1)) / 2**0.5) > 0.1


@pytest.mark.slow
def test_its_loss_falls(data: Path) -> None:
    torch.manual_seed(0)
    network = make_autoencoder(8)
    optimizer = torch.optim.Adam(network.parameters(), 4e-3)
    batch = Pictures(data, crop=16, batch=4, seed=0).sample(0)
    losses = []
    for _ in range(30):
        objective, _, _ = loss(network, batch, torch.Generator().manual_seed(0))
        optimizer.zero_grad()
        objective.backward()
        optimizer.step()
        losses.append(float(objective.detach()))
    assert losses[-1] < 0.7 * losses[0]


def test_resumed_training_gives_the_same_weights(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_autoencoder, "make_autoencoder", lambda: make_autoencoder(8))

    def run(folder: str, *more: str) -> dict[str, torch.Tensor]:
        options = ["--batch", "2", "--crop", "16", *more]
        monkeypatch.setattr(sys, "argv", ["train_autoencoder", str(data), str(tmp_path / folder), *options])
        train_autoencoder.main()
        return AutoencoderTiny.from_pretrained(tmp_path / folder).state_dict()

    whole = run("whole", "--steps", "4", "--plan", "4")
    run("parts", "--steps", "2", "--plan", "4")
    parts = run("parts", "--steps", "4", "--plan", "4", "--resume")
    assert all(torch.equal(weight, parts[name]) for name, weight in whole.items())
    with pytest.raises(SystemExit, match="give --resume"):
        run("whole")
