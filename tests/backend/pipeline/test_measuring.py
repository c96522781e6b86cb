"""An autoencoder is measured once, with progress, and can be cancelled meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from warpnoise.errors import Cancelled
from warpnoise.job import Settings, Shot
from warpnoise.pipeline import stylize
from warpnoise.progress import Progress
from warpnoise.sdedit.filter_bank import response

from .. import synthetic, tiny_pipelines


@pytest.fixture
def shot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Shot, Settings]:
    monkeypatch.setenv("WARPNOISE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(response, "_SAMPLES", 12)
    model = tiny_pipelines.write("sd15", tmp_path / "model")
    settings = Settings(model=str(model), steps=2, prompt="a fox", noise="nearest")
    return synthetic.make_job(tmp_path / "job", frames=1), settings


@pytest.mark.slow
def test_measuring_reports_and_is_done_once(shot) -> None:
    torch.set_num_threads(1)
    opened, settings = shot
    seen: list[Progress] = []
    stylize(opened, settings, device="cpu", progress=seen.append)
    stages = list(dict.fromkeys(now.stage for now in seen))
    assert stages[:2] == ["loading", "measuring"] and stages[-1] == "finished"
    measuring = [now for now in seen if now.stage == "measuring"]
    assert [now.step for now in measuring] == sorted(now.step for now in measuring)
    assert {now.steps_total for now in measuring} == {100} and all(now.fraction == 0 for now in measuring)
    again: list[Progress] = []
    stylize(opened, settings.updated({"seed": 1}), device="cpu", progress=again.append)
    assert "measuring" not in {now.stage for now in again}


def test_cancel_while_measuring(shot) -> None:
    opened, settings = shot
    seen: list[str] = []
    with pytest.raises(Cancelled):
        stylize(
            opened,
            settings,
            device="cpu",
            progress=lambda now: seen.append(now.stage),
            cancelled=lambda: "measuring" in seen,
        )
    assert seen[-1] == "measuring"
