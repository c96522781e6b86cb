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
from warpnoise.pipeline import stylize, whole_segments

from .. import tiny_pipelines
from ..synthetic import Scene

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


def test_attention_to_key_frames_has_the_same_bits_however_the_shot_is_cut(
    make_job: Callable[..., Shot], model: Path
) -> None:
    shot = make_job(frames=4, width=24, height=16, scene=Scene(24, 16, turn=0.09), noise="warped")
    chosen = {"model": str(model), "prompt": "a house", "style": None, "steps": 4, "latent_noise": "pooled"}
    held = shot.settings.updated({**chosen, "attention": 1.0, "pull": 0.0, "accumulation": 0.0, "key_share": 0.15})
    parts = whole_segments(shot, held)
    assert 1 < len(parts) < 4
    for part in reversed(parts):
        cut = stylize(shot, held, frames=part, device="cpu", dtype="float32")
    plain = stylize(shot, shot.settings.updated({**chosen, "coherence": "off"}), device="cpu", dtype="float32")
    other = make_job(frames=4, width=24, height=16, scene=Scene(24, 16, turn=0.09), noise="warped")
    whole = stylize(other, held, device="cpu", dtype="float32")
    assert cut.result is not None and whole.result is not None and plain.result is not None
    for frame in shot.frames:
        np.testing.assert_array_equal(read_png(cut.result.frame(frame)), read_png(whole.result.frame(frame)))
    starts = [part[0] for part in parts]
    for frame in shot.frames:
        alone = np.array_equal(read_png(cut.result.frame(frame)), read_png(plain.result.frame(frame)))
        assert alone == (frame in starts)  # key frames have nothing to look at
