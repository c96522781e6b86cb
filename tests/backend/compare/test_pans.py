"""Pans over a shot's first frame, which compare makes itself."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from warpnoise.cli.main import run
from warpnoise.compare.experiment.pan import make_pan
from warpnoise.errors import JobError
from warpnoise.job import Shot
from warpnoise.media.png import read_png
from warpnoise.motion import motions

from .. import synthetic


@pytest.mark.parametrize("ortho", [False, True])
def test_everything_moves_by_as_many_pixels(tmp_path: Path, ortho: bool) -> None:
    scene = synthetic.Scene(40, 24, ortho=ortho)
    job = synthetic.make_job(tmp_path / "shot", frames=1, scene=scene, transparent=True)
    pan = make_pan(job, tmp_path / "pan", 3, 17, job.settings)
    assert len(pan.frames) == 7  # the window has 22 of the 40 columns
    steps = list(motions(pan))
    for frame, (number, motion) in enumerate(steps):
        picture = read_png(job.color(job.frames[0]))[:, 3 * frame : 3 * frame + 22]
        assert np.array_equal(read_png(pan.color(number)), picture)
        if motion is not None:
            assert torch.allclose(motion.forward, torch.tensor([-3.0, 0.0]), atol=1e-3)


def test_a_frame_may_be_too_narrow(tmp_path: Path) -> None:
    job = synthetic.make_job(tmp_path / "shot", frames=1)
    with pytest.raises(JobError, match="only one frame"):
        make_pan(job, tmp_path / "pan", 17, 2, job.settings)


@pytest.mark.slow
def test_the_command_compares_on_the_shot_and_its_pans(job: Shot, capsys: pytest.CaptureFixture[str]) -> None:
    only = ["--methods", "warped", "--tasks", "appearance", "--seeds", "1"]
    assert run(["compare", str(job.path), *only, "--pans", "8"]) == 0
    out = capsys.readouterr().out
    assert "Scene, pan of 8 px" in out
    report = json.loads((job.path / "compare" / "pan-8" / "compare.json").read_text())
    assert (report["frames"], report["width"], report["cell_px"]) == (3, 16, 1)
    assert report["lag_cells"] == {"1": pytest.approx(8, abs=0.01)}
    assert (job.path / "compare" / "compare.json").is_file()
