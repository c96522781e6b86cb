"""Memory of a run: batches shrink to what fits, and frames do not pile up."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from warpnoise.errors import ModelError
from warpnoise.job import Shot
from warpnoise.pipeline import stylize
from warpnoise.sdedit import load_model
from warpnoise.sdedit.editor import Editor

from ..synthetic import finished_frames

MakeJob = Callable[..., Shot]


class SmallDevice:
    """Runs out of memory with more than ``fits`` frames."""

    def __init__(self, editor: Editor, fits: int) -> None:
        self._editor = editor
        self._fits = fits
        self.sizes: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._editor, name)

    def edit(self, images: torch.Tensor, *more: Any, **named: Any) -> torch.Tensor:
        self.sizes.append(len(images))
        if len(images) > self._fits:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return self._editor.edit(images, *more, **named)


def run_on_small_device(job: Shot, fits: int, batch: int) -> tuple[Sequence[int], tuple[str, ...]]:
    devices: list[SmallDevice] = []

    def load(*options: Any) -> Editor:
        devices.append(SmallDevice(load_model(*options), fits))
        return devices[0]  # type: ignore[return-value]

    summary = stylize(job, device="cpu", batch=batch, load=load)
    return devices[0].sizes, summary.warnings


def test_batches_shrink_to_what_fits(make_job: MakeJob) -> None:
    job = make_job(frames=6)
    sizes, warnings = run_on_small_device(job, fits=2, batch=6)
    assert sizes == [6, 3, 1, 1, 1, 1, 1, 1]
    assert warnings[-1] == "The device's memory was too small; 1 frame(s) are computed at a time."
    assert finished_frames(job) == list(job.frames)


def test_a_device_with_too_little_memory(make_job: MakeJob) -> None:
    with pytest.raises(ModelError, match="too little memory for one frame of 16 x 12 pixels"):
        run_on_small_device(make_job(), fits=0, batch=2)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_animation(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    """At no time more frames are read and not done with than the queue and the loops hold."""
    module = sys.modules["warpnoise.pipeline.stylize"]
    alive = most = 0

    class Counted:
        def __init__(self, source: Any) -> None:
            nonlocal alive, most
            alive += 1
            most = max(most, alive)
            self._source = source

        def __getattr__(self, name: str) -> Any:
            return getattr(self._source, name)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    read = module.read_sources
    monkeypatch.setattr(module, "read_sources", lambda *a, **named: (Counted(source) for source in read(*a, **named)))
    stylize(make_job(frames=12, width=8, height=8), device="cpu", batch=2)
    assert alive == 0
    assert most <= 2 + 2  # in the queue, and one at each end of it
