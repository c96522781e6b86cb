"""A whole job with a text-to-image model: aligned noise, a ControlNet on the shot's own depth, a sampler by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import diffusers
import numpy as np
import pytest
import torch
from warpnoise.job import Shot
from warpnoise.media.png import read_png
from warpnoise.pipeline import stylize

from .. import tiny_pipelines

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_pipelines.write("sd21", tmp_path_factory.mktemp("models") / "sd21")


@pytest.fixture(scope="module")
def control(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("controls")
    unet = diffusers.UNet2DConditionModel.from_pretrained(model / "unet")
    network = diffusers.ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 16, 16, 16))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for weight in network.parameters():
            if not weight.any():
                torch.nn.init.normal_(weight, std=0.3)
    network.save_pretrained(folder)
    return folder


def frames(shot: Shot, **changes: object) -> list[np.ndarray]:
    settings = shot.settings.updated({"prompt": "a house", "style": None, "steps": 4, **changes})
    summary = stylize(shot, settings, device="cpu", dtype="float32", batch=2)
    assert summary.frames_done == len(shot.frames) and summary.result is not None
    return [read_png(summary.result.frame(frame)) for frame in shot.frames]


def test_a_shot_with_a_control(
    make_job: Callable[..., Shot], model: Path, control: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: tmp_path)
    shot = make_job()
    plain = frames(shot, model=str(model))
    held = frames(shot, model=str(model), controls=[{"path": str(control), "input": "depth"}])
    lines = frames(shot, model=str(model), controls=[{"path": str(control), "input": "lines"}])
    for pictures in (held, lines):
        for one, other in zip(pictures, plain, strict=True):
            assert one.shape == other.shape and not np.array_equal(one, other)
    assert not all(map(np.array_equal, held, lines))
    other = frames(shot, model=str(model), sampler="dpmpp_2m_sde")
    assert not all(map(np.array_equal, other, plain))
