"""Crops, steps, resuming and export."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, UNet2DModel
from warpnoise.sdedit import ModelFolder
from warpnoise.sdedit.schedule import Schedule

from training import network as network_module
from training import train
from training.checkpoint import WeightAverage
from training.dataset import Crops, read_geometry, split
from training.export import export
from training.latents import CELL, LATENT_CHANNELS, make_autoencoder, make_latent_unet
from training.network import NULL_CLASS, SIZE_MULTIPLE, make_scheduler, make_unet
from training.paint_dataset import write
from training.styles import STYLES
from training.train import (
    Trainer,
    TrainSettings,
    diffusion_loss,
    draw_starts,
    draw_timesteps,
    learning_rate,
    noise_towards,
)

pytestmark = pytest.mark.slow

SETTINGS = TrainSettings(steps=8, batch=2, crop=16, warmup=2, bfloat16=False)
CPU = torch.device("cpu")
NO_GEOMETRY = np.zeros((64, 64, 4), np.int8)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same network with fewer channels."""
    monkeypatch.setattr(train, "make_unet", lambda: make_unet((8, 8, 8, 8)))


def weights(trainer: Trainer) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in trainer.network.parameters()])


def test_crops_are_a_function_of_seed_and_step(data: Path) -> None:
    crops = Crops(data, 16, 8, 0.5, seed=3)
    one, again, other = crops.sample(5), Crops(data, 16, 8, 0.5, seed=3).sample(5), crops.sample(6)
    assert torch.equal(one.images, again.images) and torch.equal(one.labels, again.labels)
    assert torch.equal(one.sources, again.sources) and torch.equal(one.geometry, again.geometry)
    assert not torch.equal(one.images, other.images)
    for pictures in (one.images, one.sources):
        assert pictures.shape == (8, 3, 16, 16) and pictures.dtype == torch.float32
        assert pictures.min() >= -1 and pictures.max() <= 1


def test_labels_are_dropped_as_often_as_asked(data: Path) -> None:
    crops = Crops(data, 16, 50, 0.2, seed=0)
    labels = torch.cat([crops.sample(step).labels for step in range(10)])
    assert set(labels.tolist()) == set(range(NULL_CLASS + 1))
    assert abs(float((labels == NULL_CLASS).float().mean()) - 0.2) < 4 * np.sqrt(0.2 * 0.8 / 500)


def test_sources_show_the_same_place(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures whose red and green are their row and column: wherever a crop is, its source is of the same place."""
    monkeypatch.setattr("training.dataset.SHARPENED", 0.0)
    crops = Crops(data, 16, 64, 0.0, seed=0)
    row, column = np.indices((64, 64)) * 4
    blue = {"plain": 0, "photo": 120, "oil": 240, "ink": 240, "watercolour": 240}
    crops.pictures = {
        kind: {"00001_0.png": np.stack([row, column, np.full_like(row, blue[kind])], -1).astype(np.uint8)}
        for kind in crops.pictures
    }
    crops.geometry, crops.gains = {"00001_0.png": NO_GEOMETRY}, {"00001_0.png": np.ones(3, np.float32)}
    batch = crops.sample(0)
    near = (batch.images[:, :2] - batch.sources[:, :2]).abs().amax((1, 2, 3))
    assert near.max() < 0.25  # those of the blurred photographs; a crop of another place is off by more
    assert (near < 1e-6).float().mean() > 0.7
    assert batch.images[:, 0].std(unbiased=False) > 0.2
    found = {round(float(blue)) for blue in (batch.sources[:, 2].mean((1, 2)) * 127.5 + 127.5)}
    assert any(abs(b) < 2 for b in found) and any(b > 90 for b in found)


def test_geometry_shows_the_same_place(data: Path) -> None:
    """Normals whose y says in which row they are, and pictures whose red does; x turns with what is mirrored."""
    crops = Crops(data, 16, 64, 0.0, seed=0)
    row, column = np.indices((64, 64))
    picture = np.stack([row * 4, column * 4, np.full_like(row, 100)], -1).astype(np.uint8)
    crops.pictures = {kind: {"00001_0.png": picture} for kind in crops.pictures}
    crops.geometry = {"00001_0.png": np.stack([np.full_like(row, 50), row, column, row], -1).astype(np.int8)}
    crops.gains = {"00001_0.png": np.ones(3, np.float32)}
    batch = crops.sample(0)
    known = batch.geometry.flatten(1).abs().amax(1) > 0
    assert 0.75 < known.float().mean() < 1, "a tenth goes without"
    geometry, sources = batch.geometry[known] * 127, (batch.sources[known] + 1) * 127.5 / 4
    mirrored = sources[:, 1, :, 0] > sources[:, 1, :, -1]
    assert (geometry[:, 0, :, 0].sign() == torch.where(mirrored, -1, 1)).all() and 0 < mirrored.float().mean() < 1
    # Photographs have been tinted by up to a quarter, and blurred.
    assert (geometry[:, 1] - sources[:, 0]).abs().mean() < 4 and (geometry[:, 2] - sources[:, 1]).abs().mean() < 4


def test_photographs_have_the_colours_of_their_twins(data: Path, tmp_path: Path) -> None:
    """On the surfaces: the sky, and a view without surfaces, do not count; nor does a twin that is far too dark."""
    shutil.copytree(data, tmp_path, dirs_exist_ok=True)
    photo = np.full((48, 48, 3), (0.4, 0.2, 0.8), np.float32)
    photo[12:] = (0.2, 0.4, 0.4)
    write(tmp_path / "photo" / "00001_0.png", photo)
    plain = np.full_like(photo, 0.9)
    plain[12:] = (0.3, 0.3, 0.04)
    write(tmp_path / "plain" / "00001_0.png", plain)
    np.testing.assert_allclose(Crops(tmp_path, 16, 2, 0.1, 0).gains["00001_0.png"], (1.5, 0.75, 0.6), rtol=0.02)


def test_geometry_is_that_of_the_depth(data: Path) -> None:
    geometry = read_geometry(data, "00001_0.png")
    assert geometry.shape == (48, 48, 4)
    assert (geometry[:12] == (0, 0, 0, -1)).all() and (geometry[12:, :, 3] == 1).all()
    normal = geometry[20, 20]
    np.testing.assert_allclose(geometry[13:], np.broadcast_to(normal, (35, 48, 4)), atol=1e-3)
    assert normal[0] < -0.5 and abs(normal[1]) < 1e-5 and normal[2] > 0.5, "nearer on the right: it faces left"


def test_a_view_without_depth(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path, dirs_exist_ok=True)
    (tmp_path / "depth" / "00001_0.exr").unlink()
    with pytest.raises(SystemExit, match=r"the depth of 00001_0\.png is missing or damaged"):
        Crops(tmp_path, 16, 2, 0.1, seed=0)


def test_a_new_input_has_no_effect_at_first(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run begins with the weights of a network of fewer channels, and says the same."""
    old = Trainer(data, tmp_path / "old", SETTINGS, CPU, resume=False)
    old.train_step()
    old.save()
    monkeypatch.setattr("training.export.make_unet", lambda: make_unet((8, 8, 8, 8)))
    export(tmp_path / "old" / "checkpoint", tmp_path / "model")
    narrow = UNet2DModel.from_pretrained(tmp_path / "model" / "unet").float()
    narrow.conv_in.weight = torch.nn.Parameter(narrow.conv_in.weight[:, :6].clone())
    narrow.conv_in.in_channels = 6
    narrow.register_to_config(in_channels=6)
    narrow.save_pretrained(tmp_path / "narrow" / "unet")
    begun = Trainer(data, tmp_path / "new", SETTINGS, CPU, resume=False, start_from=tmp_path / "narrow")
    x = torch.randn((2, 10, 16, 16), generator=torch.Generator().manual_seed(0))
    label = torch.tensor([0, 1])
    with torch.no_grad():
        one, two = narrow(x[:, :6], 5, label).sample, begun.network.eval()(x, 5, label).sample
    torch.testing.assert_close(one, two, atol=1e-5, rtol=0)


def test_crops_with_detail_are_preferred(data: Path) -> None:
    """Of a picture a third of whose crops are even, a ninth are taken that are."""
    crops = Crops(data, 16, 64, 0.0, seed=0)
    half = np.full((64, 64, 3), 100, np.uint8)
    half[:, 32:] += (np.indices((64, 32)).sum(axis=0) % 4 < 2)[..., None].astype(np.uint8) * 60
    crops.pictures = {kind: {"00001_0.png": half} for kind in crops.pictures}
    crops.geometry = {"00001_0.png": NO_GEOMETRY}
    images = torch.cat([crops.sample(step).images for step in range(8)])
    even = (images.flatten(1).std(dim=1) < 0.08).float().mean()  # a gain tints a photograph's channels a little
    assert 0.02 < even < 0.22


def test_timesteps_are_drawn_where_they_are_asked_for() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = draw_timesteps(40_000, 700, replace(SETTINGS, strongest=0.6, strongest_share=0.8), generator)
    assert drawn.min() >= 0 and drawn.max() <= 699 and drawn.dtype == torch.int64
    below = drawn < 420
    assert abs(float(below.float().mean()) - 0.8) < 4 * np.sqrt(0.8 * 0.2 / 40_000)
    assert abs(float(drawn[below].float().mean()) - 209.5) < 4 * 420 / np.sqrt(12 * 32_000)
    assert abs(float(drawn[~below].float().mean()) - 559.5) < 4 * 280 / np.sqrt(12 * 8_000)


def test_starts_lie_above_their_timesteps() -> None:
    generator = torch.Generator().manual_seed(0)
    settings = replace(SETTINGS, weakest=0.3, strongest=0.6)
    drawn = torch.tensor([0, 100, 300, 419, 420, 699]).repeat_interleave(5_000)
    starts = draw_starts(drawn, 700, settings, generator).view(6, -1)
    assert (starts.flatten() >= drawn).all() and starts.max() <= 699
    bounds = [(210, 419), (210, 419), (300, 419), (419, 419), (420, 699), (699, 699)]
    for row, (first, last) in zip(starts, bounds, strict=True):
        assert first <= row.min() <= first + 1 and last - 1 <= row.max() <= last
        assert abs(float(row.float().mean()) - (first + last) / 2) < 4 * max(1, last - first) / np.sqrt(12 * 5_000) + 1


def test_the_noise_leads_from_the_source_to_the_image() -> None:
    """Noisy at the start it is the noisy source; DDIM with the true noise, in any steps, arrives at the image."""
    scheduler = make_scheduler()
    generator = torch.Generator().manual_seed(0)
    images, sources, noise = torch.randn((3, 3, 3, 4, 4), generator=generator) * 0.3
    starts = torch.tensor([120, 280, 500])
    leading = noise_towards(scheduler, images, sources, noise, starts)
    torch.testing.assert_close(
        scheduler.add_noise(images, leading, starts), scheduler.add_noise(sources, noise, starts), atol=1e-5, rtol=0
    )
    run = Schedule({**scheduler.config, "_class_name": "DDIMScheduler"}, clip=False).run(7, 0.4, 0.0, "ddim")
    start = run.timesteps[:1]
    leading = noise_towards(scheduler, images, sources, noise, start.expand(3))
    x = run.start(sources, noise)
    for index, t in enumerate(run.timesteps):
        x = run.step(index, scheduler.get_velocity(images, leading, t.expand(3)), x, None)
    torch.testing.assert_close(x, images, atol=1e-4, rtol=0)


def test_held_out_scenes_are_never_trained_on(data: Path) -> None:
    views, held = split(data)
    assert held == ["00000_0.png"] and views == ["00001_0.png", "00002_0.png"]
    assert set(Crops(data, 16, 2, 0.1, seed=0).pictures["oil"]) == set(views)


def test_data_folder_of_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="render the images first"):
        split(tmp_path)
    (tmp_path / "dataset.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(SystemExit, match="format 99, expected 5"):
        split(tmp_path)


def test_resumed_training_gives_the_same_weights(data: Path, tmp_path: Path) -> None:
    whole = Trainer(data, tmp_path / "whole", SETTINGS, CPU, resume=False)
    for _ in range(4):
        whole.train_step()

    first = Trainer(data, tmp_path / "parts", SETTINGS, CPU, resume=False)
    for _ in range(2):
        first.train_step()
    first.save()
    second = Trainer(data, tmp_path / "parts", SETTINGS, CPU, resume=True)
    assert second.step == 2
    for _ in range(2):
        second.train_step()

    assert torch.equal(weights(whole), weights(second))
    assert all(torch.equal(whole.average.weights[name], w) for name, w in second.average.weights.items())


def test_resuming_wants_a_checkpoint_and_the_same_settings(data: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no checkpoint there"):
        Trainer(data, tmp_path, SETTINGS, CPU, resume=True)
    Trainer(data, tmp_path, SETTINGS, CPU, resume=False).save()
    with pytest.raises(SystemExit, match="give --resume"):
        Trainer(data, tmp_path, SETTINGS, CPU, resume=False)
    with pytest.raises(SystemExit, match="batch: 2 then, 3 now"):
        Trainer(data, tmp_path, TrainSettings(**{**vars(SETTINGS), "batch": 3}), CPU, resume=True)


def test_a_run_can_begin_with_an_exported_model(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Trainer(data, tmp_path / "first", SETTINGS, CPU, resume=False)
    first.train_step()
    first.save()
    monkeypatch.setattr("training.export.make_unet", lambda: make_unet((8, 8, 8, 8)))
    export(tmp_path / "first" / "checkpoint", tmp_path / "model")

    second = Trainer(data, tmp_path / "second", SETTINGS, CPU, resume=False, start_from=tmp_path / "model")
    averaged = first.average.weights
    for name, weight in second.network.state_dict().items():
        assert torch.equal(weight, averaged[name].half().float()), name
    assert second.step == 0

    monkeypatch.setattr(train, "make_unet", lambda: make_unet((8, 8, 8)))
    with pytest.raises(SystemExit, match="not a beginning for training"):
        Trainer(data, tmp_path / "third", SETTINGS, CPU, resume=False, start_from=tmp_path / "model")


def test_views_that_show_nothing_are_not_trained_on(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path / "data")
    write(tmp_path / "data" / "photo" / "00001_0.png", np.zeros((48, 48, 3), np.float32))
    crops = Crops(tmp_path / "data", 16, 2, 0.1, seed=0)
    assert all(set(pictures) == {"00002_0.png"} for pictures in crops.pictures.values())


def test_training_lowers_the_loss(data: Path, tmp_path: Path) -> None:
    settings = TrainSettings(steps=60, batch=8, crop=16, warmup=5, learning_rate=2e-3, bfloat16=False)
    trainer = Trainer(data, tmp_path, settings, CPU, resume=False)
    before = probe(trainer)
    for _ in range(60):
        trainer.train_step()
    assert probe(trainer) < 0.8 * before


def probe(trainer: Trainer) -> float:
    """The plain loss on crops, timesteps and noise that stay the same."""
    generator = torch.Generator().manual_seed(1)
    batches = [trainer.crops.sample(step) for step in range(10_000, 10_008)]
    images, sources, geometry, labels = (
        torch.cat([getattr(batch, name) for batch in batches]) for name in ("images", "sources", "geometry", "labels")
    )
    timesteps = torch.randint(700, (len(images),), generator=generator)
    noise = torch.randn(images.shape, generator=generator)
    starts = draw_starts(timesteps, 700, trainer.settings, generator)
    noise = noise_towards(trainer.scheduler, images, sources, noise, starts)
    with torch.no_grad():
        losses = diffusion_loss(
            trainer.network,
            trainer.scheduler,
            images,
            torch.cat([sources, geometry], dim=1),
            labels,
            timesteps,
            noise,
            trainer.settings,
        )
    return float(losses.plain)


def test_schedules() -> None:
    rates = [learning_rate(step, SETTINGS) for step in range(9)]
    assert rates[0] < rates[1] > rates[4] > rates[8] > 0
    scheduler = make_scheduler()
    amplitude = ((1 - scheduler.alphas_cumprod) / scheduler.alphas_cumprod).sqrt()
    assert float(amplitude[350]) == pytest.approx(1.0, abs=0.06)
    assert float(amplitude[-1]) == pytest.approx(3.3, abs=0.1)
    whole = DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    assert torch.allclose(scheduler.alphas_cumprod, whole.alphas_cumprod[: len(amplitude)], atol=1e-6)


def test_average_follows_the_weights() -> None:
    layer = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(layer.weight)
    average = WeightAverage(layer, decay=0.9)
    torch.nn.init.ones_(layer.weight)
    for step in range(1000, 1003):
        average.update(layer, step)
    assert float(average.weights["weight"]) == pytest.approx(1 - 0.9**3)


def test_exported_folder_is_what_the_backend_reads(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.export.make_unet", lambda: make_unet((8, 8, 8, 8)))
    Trainer(data, tmp_path / "run", SETTINGS, CPU, resume=False).save()
    export(tmp_path / "run" / "checkpoint", tmp_path / "model")
    folder = ModelFolder.open(str(tmp_path / "model"))
    assert folder.styles == STYLES
    assert folder.size_multiple == SIZE_MULTIPLE == network_module.SIZE_MULTIPLE
    assert not list((tmp_path / "model").rglob("*.bin"))
    with pytest.raises(SystemExit, match="train first"):
        export(tmp_path / "nothing", tmp_path / "model")


def test_training_in_latents_is_exported_with_its_autoencoder(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def small() -> UNet2DModel:
        return make_latent_unet((8, 8))

    monkeypatch.setattr(train, "make_latent_unet", small)
    monkeypatch.setattr("training.export.make_latent_unet", small)
    make_autoencoder(8).save_pretrained(tmp_path / "autoencoder")
    with pytest.raises(SystemExit, match="train it first"):
        Trainer(data, tmp_path / "run", SETTINGS, CPU, resume=False, autoencoder=tmp_path / "nothing")
    settings = TrainSettings(**{**vars(SETTINGS), "crop": 64})
    trainer = Trainer(data, tmp_path / "run", settings, CPU, resume=False, autoencoder=tmp_path / "autoencoder")
    before = weights(trainer).clone()
    trainer.train_step()
    assert not torch.equal(before, weights(trainer))
    trainer.save()
    export(tmp_path / "run" / "checkpoint", tmp_path / "model", tmp_path / "autoencoder")
    folder = ModelFolder.open(str(tmp_path / "model"))
    assert (folder.styles, folder.vae_factor, folder.latent_channels) == (STYLES, CELL, LATENT_CHANNELS)
    assert folder.takes_frame and folder.takes_geometry
