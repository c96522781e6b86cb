"""Whole jobs, from files to files, with a toy model."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from warpnoise.errors import Cancelled, JobError, JobLockedError, MediaError, ModelError, SettingsError, WarpnoiseError
from warpnoise.job import Shot
from warpnoise.media.png import read_png
from warpnoise.motion import motions
from warpnoise.motion.frames import read_frame
from warpnoise.noise import make_noise, warmup
from warpnoise.pipeline import stylize
from warpnoise.progress import Progress
from warpnoise.sdedit import load_model
from warpnoise.sdedit.editor import Editor

from ..synthetic import current, finished_frames
from ..tiny_models import write_pixel_model

MakeJob = Callable[..., Shot]


def results(job: Shot) -> list[np.ndarray]:
    return [read_png(current(job).frame(frame)) for frame in job.frames]


def reference(job: Shot, frames: int) -> list[np.ndarray]:
    """The same with the parts called one after the other, a frame at a time."""
    editor = load_model(job.settings.model, "cpu")
    shape = editor.noise_shape(job.scene.height, job.scene.width, job.settings)
    noise = make_noise(job.settings.noise, shape, job.settings.seed, "cpu", editor.noise_maps(job.settings))
    made = []
    for frame, motion in list(motions(job))[:frames]:
        if motion is not None:
            noise.advance(motion)
        image = torch.from_numpy(read_png(job.color(frame)).astype(np.float32) / 65535).permute(2, 0, 1)[None]
        edited = editor.edit(image, lambda index: noise.frame(index)[None], job.settings)[0]
        made.append(np.round(edited.permute(1, 2, 0).numpy() * 65535).astype(np.uint16))
    return made


@pytest.mark.slow
@pytest.mark.parametrize("batch", [None, 1, 2, 8])
@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_frames_are_what_the_parts_make(make_job: MakeJob, batch: int | None, eta: float) -> None:
    job = make_job(noise="warped", eta=eta)
    summary = stylize(job, device="cpu", batch=batch)
    assert (summary.frames_total, summary.frames_done, summary.frames_kept, summary.warnings) == (3, 3, 0, ())
    assert summary.movie.stat().st_size > 0
    for made, expected in zip(results(job), reference(job, 3), strict=True):
        assert made.dtype == np.uint16
        # Other batches, other kernels, other rounding: a few of 65535.
        assert np.abs(made.astype(int) - expected.astype(int)).max() <= (0 if batch in (None, 1) else 8)


class Listener:
    """A model that keeps account of the geometry that it is given."""

    def __init__(self, editor: Editor) -> None:
        self._editor = editor
        self.given: list[torch.Tensor | None] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._editor, name)

    def edit(self, *more: Any, geometry: torch.Tensor | None, **named: Any) -> torch.Tensor:
        self.given.append(geometry)
        return self._editor.edit(*more, geometry=geometry, **named)


def geometry_given(job: Shot, batch: int, frames: Sequence[int] | None = None) -> list[torch.Tensor | None]:
    listeners: list[Listener] = []

    def load(*options: Any) -> Editor:
        listeners.append(Listener(load_model(*options)))
        return listeners[0]  # type: ignore[return-value]

    stylize(job, device="cpu", batch=batch, frames=frames, load=load)
    return listeners[0].given


def test_a_geometry_conditional_model_gets_each_frames_geometry(make_job: MakeJob, tmp_path: Path) -> None:
    job = make_job(model=str(write_pixel_model(tmp_path / "model", in_channels=10)))
    truth = [read_frame(job, state, print).geometry() for state in job.states()]
    assert not np.array_equal(truth[0], truth[1])
    (only,) = geometry_given(job, 1, frames=job.frames[1:2])
    assert only is not None and np.array_equal(only, truth[1:2])
    first, last = geometry_given(job, 2)
    assert first is not None and np.array_equal(first, [truth[0], truth[0]]), "the second frame is finished"
    assert last is not None and np.array_equal(last, [truth[2], truth[2]])


def test_other_models_are_given_none(make_job: MakeJob) -> None:
    assert geometry_given(make_job(), 4) == [None]


def test_torchs_threads_are_as_many_after_it(make_job: MakeJob) -> None:
    """Numba and torch share OpenMP, and with it the number of threads, on Linux."""
    torch.set_num_threads(1)  # as tiny_models.py does; Numba may have changed it in an earlier test
    stylize(make_job(noise="warped"), device="cpu")
    assert torch.get_num_threads() == 1


def test_a_batch_s_empty_places_are_filled_up(make_job: MakeJob) -> None:
    """5 frames in threes: the model sees the same size each time, and each frame in its own place."""
    sizes: list[int] = []

    def load(*options: Any) -> Editor:
        editor = load_model(*options)
        edit = editor.edit

        def counting(images: torch.Tensor, *more: Any, **named: Any) -> torch.Tensor:
            sizes.append(len(images))
            return edit(images, *more, **named)

        editor.edit = counting  # type: ignore[method-assign]
        return editor

    job = make_job(frames=5)
    stylize(job, device="cpu", batch=3, load=load)
    assert sizes == [3, 3]
    first = results(job)
    for frame in (2, 4):
        current(job).frame(frame).unlink()
    stylize(job, device="cpu", batch=3, load=load)
    assert sizes == [3, 3, 3, 3]
    for again, before in zip(results(job), first, strict=True):
        np.testing.assert_array_equal(again, before)


def test_a_finished_job_is_not_touched(make_job: MakeJob) -> None:
    job = make_job()
    stylize(job, device="cpu")
    times = {path: path.stat().st_mtime_ns for path in job.path.rglob("*") if path.is_file() and path.name != ".lock"}

    def load(*options: Any) -> Editor:
        raise AssertionError("the weights are loaded")

    seen: list[Progress] = []
    summary = stylize(job, device="cpu", load=load, progress=seen.append)
    assert (summary.frames_done, summary.frames_kept) == (3, 3)
    assert [progress.stage for progress in seen] == ["loading", "loading", "finished"]
    assert {path: path.stat().st_mtime_ns for path in times} == times
    current(job).movie.unlink()
    stylize(job, device="cpu", load=load)
    assert current(job).movie.is_file()


@pytest.mark.slow
def test_a_cancelled_run_resumes_to_the_bits_of_an_uninterrupted_one(
    make_job: MakeJob,
) -> None:
    job = make_job(frames=5, noise="warped", eta=1.0, steps=6)
    stylize(job, device="cpu")
    whole = results(job)
    shutil.rmtree(current(job).folder)
    last: list[Progress] = []

    def stop() -> bool:
        return bool(last) and last[-1].frames_done >= 2

    with pytest.raises(Cancelled):
        stylize(job, device="cpu", progress=last.append, cancelled=stop)
    kept = finished_frames(job)
    assert kept in ([1, 2], [1, 2, 3])
    assert not list((current(job).folder / "frames").glob(".*")), "nothing half written"
    times = [current(job).frame(frame).stat().st_mtime_ns for frame in kept]
    summary = stylize(job, device="cpu")
    assert (summary.frames_done, summary.frames_kept) == (5, len(kept))
    assert [current(job).frame(frame).stat().st_mtime_ns for frame in kept] == times
    for again, before in zip(results(job), whole, strict=True):
        np.testing.assert_array_equal(again, before)


def test_cancelling_takes_effect_before_the_next_step(make_job: MakeJob) -> None:
    steps: list[int] = []
    with pytest.raises(Cancelled):
        stylize(
            make_job(steps=8, strength=1.0),
            device="cpu",
            progress=lambda now: steps.append(now.step),
            cancelled=lambda: max(steps, default=0) >= 3,
        )
    assert max(steps) == 3


def test_other_settings_replace_the_jobs_for_this_run(make_job: MakeJob) -> None:
    job = make_job()
    stylize(job, device="cpu")
    ink = results(job)
    summary = stylize(job, job.settings.updated({"style": "clay", "prompt": "a cat"}), device="cpu")
    assert summary.frames_kept == 0
    assert summary.warnings == (f"The model {job.settings.model} takes no text: the prompt has no effect.",)
    assert not any(np.array_equal(clay, before) for clay, before in zip(results(job), ink, strict=True))


def test_progress(make_job: MakeJob) -> None:
    seen: list[Progress] = []
    stylize(make_job(frames=4), device="cpu", batch=2, progress=seen.append)
    stages = [progress.stage for progress in seen]
    ordered = [stage for stage in dict.fromkeys(stages) if stage != "compiling"]  # where the cache is cold
    assert ordered == ["loading", "stylizing", "encoding", "finished"]
    steps = [(progress.step, progress.steps_total) for progress in seen if progress.stage == "stylizing"][1:]
    assert steps == [(1, 2), (2, 2)] * 2
    done = [progress.frames_done for progress in seen]
    assert done == sorted(done)
    assert done[-1] == 4
    assert seen[-1].newest_frame == 4
    assert seen[1].seconds_left is None
    assert all(progress.seconds_left is not None and progress.seconds_left >= 0 for progress in seen[4:])


def test_alpha_is_kept_and_transparent_pixels_have_colour_for_the_model(make_job: MakeJob) -> None:
    job = make_job(transparent=True)
    seen: list[torch.Tensor] = []

    def load(*options: Any) -> Editor:
        editor = load_model(*options)
        edit = editor.edit

        def looking(images: torch.Tensor, *more: Any, **named: Any) -> torch.Tensor:
            seen.extend(images)
            return edit(images, *more, **named)

        editor.edit = looking  # type: ignore[method-assign]
        return editor

    stylize(job, device="cpu", load=load)
    for frame, picture, image in zip(job.frames, results(job), seen, strict=True):
        source = read_png(job.color(frame))
        np.testing.assert_array_equal(picture[..., 3], source[..., 3])
        empty = source[..., 3] == 0
        assert 0 < empty.sum() < empty.size
        colors = {tuple(color) for color in source[~empty][:, :3]}
        shown = np.round(image.permute(1, 2, 0).numpy() * 65535).astype(np.uint16)
        assert {tuple(color) for color in shown[empty]} <= colors


def test_an_unreadable_frame_stops_the_job_and_the_frames_before_it_stay(make_job: MakeJob) -> None:
    job = make_job(frames=4)
    job.passes(3).write_bytes(job.passes(3).read_bytes()[:2000])
    with pytest.raises(WarpnoiseError, match=r"0003\.exr") as caught:
        stylize(job, device="cpu")
    assert isinstance(caught.value, MediaError)
    assert finished_frames(job) == [1, 2]
    assert not current(job).movie.exists()


def test_a_full_disk_is_reported_and_leaves_no_partial_file(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job(frames=4)
    flushed = 0

    def full(descriptor: int) -> None:
        nonlocal flushed
        flushed += 1
        if flushed > 6:  # the settings, the name of the result, then a picture and a record of each frame
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MediaError, match=r"0003\.png: No space left on device"):
        stylize(job, device="cpu")
    for folder in ("frames", "records"):
        assert sorted(path.stem for path in (current(job).folder / folder).iterdir()) == ["0001", "0002"]
    monkeypatch.undo()
    assert stylize(job, device="cpu").frames_kept == 2


def test_a_folder_that_cannot_be_written(make_job: MakeJob) -> None:
    job = make_job()
    (job.path / "results").write_text("a file")
    with pytest.raises(JobError, match="results"):
        stylize(job, device="cpu")


def test_two_at_once(make_job: MakeJob) -> None:
    job = make_job()
    stylize(job, device="cpu")
    with current(job).lease(2, 2), pytest.raises(JobLockedError):
        stylize(Shot.open(job.path), device="cpu")


def test_a_result_that_vanishes_during_the_run_is_an_error(make_job: MakeJob) -> None:
    job = make_job(frames=4)

    def delete(now: Progress) -> None:
        if now.frames_done == 2:
            for folder in job.results_folder.glob("*-*"):
                shutil.rmtree(folder, ignore_errors=True)

    # The writer may be between its file and its folder.
    with pytest.raises((JobError, MediaError), match=r"is gone|lost frame 1|Cannot write"):
        stylize(job, device="cpu", batch=1, progress=delete)
    assert stylize(job, device="cpu").frames_done == 4


def test_a_frame_that_vanishes_during_the_run_is_an_error(make_job: MakeJob) -> None:
    job = make_job(frames=4)

    def delete(now: Progress) -> None:
        if now.frames_done >= 1:
            current(job).frame(1).unlink(missing_ok=True)

    with pytest.raises(JobError, match="lost frame 1"):
        stylize(job, device="cpu", batch=1, progress=delete)
    assert stylize(job, device="cpu").frames_kept == 3


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"noise": "brown"}, SettingsError, "there is no 'brown'; there are warped, "),
        ({"style": "oil"}, SettingsError, "style 'oil'"),
        ({"model": "nowhere"}, ModelError, "there is no such folder"),
    ],
)
def test_bad_settings_change_nothing(
    make_job: MakeJob, change: dict[str, Any], error: type[Exception], message: str
) -> None:
    job = make_job()
    before = sorted(job.path.rglob("*"))
    with pytest.raises(error, match=message):
        stylize(job, job.settings.updated(change), device="cpu")
    assert sorted(job.path.rglob("*")) == before


@pytest.mark.slow
def test_progress_says_that_kernels_are_compiled(
    make_job: MakeJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compiling takes up to a minute, in which nothing else is told. Only warped noise needs it, once."""
    (tmp_path / "loops.py").touch()
    monkeypatch.setattr(warmup, "cache_file", lambda: str(tmp_path / "loops.py"))
    monkeypatch.setattr(warmup, "_run_all", lambda: None)
    runs: list[list[str]] = []
    for settings in ({"noise": "fixed"}, {"noise": "warped"}, {"noise": "warped", "seed": 5}):
        seen: list[str] = []
        job = make_job(frames=2, **settings)
        stylize(job, device="cpu", progress=lambda now, seen=seen: seen.append(now.stage))
        runs.append(list(dict.fromkeys(seen)))
    without = ["loading", "stylizing", "encoding", "finished"]
    assert runs == [without, ["loading", "compiling", *without[1:]], without]
