"""Results of several settings side by side, and previews beside them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from warpnoise.errors import JobError, JobLockedError
from warpnoise.job import Settings, Shot
from warpnoise.media.png import read_png
from warpnoise.pipeline import stylize

MakeJob = Callable[..., Shot]


@pytest.fixture
def job(make_job: MakeJob) -> Shot:
    return make_job(frames=3, noise="warped", eta=1.0)


def pictures(job: Shot) -> list[np.ndarray]:
    return [read_png(job.stylized(frame)) for frame in job.frames]


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Everything that a result consists of: contents and times."""
    found = [*folder.glob("stylized/*"), *folder.glob("records/stylized/*"), folder / "stylized.mp4"]
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


def test_another_seed_keeps_the_result_and_the_first_seed_brings_it_back(job: Shot) -> None:
    stylize(job, device="cpu")
    first = files(job.path)
    other = job.settings.updated({"seed": 7})
    summary = stylize(job, other, device="cpu")
    assert summary.frames_kept == 0 and summary.movie == job.movie
    (kept,) = job.kept_results()
    assert (kept.settings.seed, kept.settings.style is None) == (0, False) and files(kept.folder) == first
    second = files(job.path)
    assert second.keys() == first.keys() and second != first

    assert stylize(job, device="cpu").frames_kept == 3
    assert files(job.path) == first
    (kept,) = job.kept_results()
    assert kept.settings.seed == 7 and files(kept.folder) == second


def test_results_of_one_style_have_names_of_their_own(job: Shot) -> None:
    for seed in range(3):
        stylize(job, job.settings.updated({"seed": seed}), device="cpu")
    assert len({kept.name for kept in job.kept_results()}) == 2
    assert sorted(kept.settings.seed for kept in job.kept_results()) == [0, 1]


def test_settings_that_make_the_same_pictures_are_one_result(job: Shot) -> None:
    """This model takes no prompt."""
    stylize(job, device="cpu")
    assert stylize(job, job.settings.updated({"prompt": "an ink drawing"}), device="cpu").frames_kept == 3
    assert job.kept_results() == []


def test_a_run_that_was_cut_off_while_it_kept_a_result_loses_no_picture(
    job: Shot, monkeypatch: pytest.MonkeyPatch
) -> None:
    stylize(job, device="cpu")
    expected = pictures(job)
    rename = Path.rename

    def cut_off(self: Path, target: Path) -> Path:
        if self.name == "stylized" and self.parent.name == "records":
            raise OSError(5, "Input/output error")
        return rename(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", cut_off)
        with pytest.raises(JobError, match="Cannot move"):
            stylize(job, job.settings.updated({"seed": 7}), device="cpu")
    (kept,) = job.kept_results()
    assert len(list((kept.folder / "stylized").iterdir())) == 3
    stylize(job, device="cpu")
    for now, before in zip(pictures(job), expected, strict=True):
        np.testing.assert_array_equal(now, before)


def test_a_folder_of_which_nobody_knows_the_settings_is_gone_on_with(job: Shot) -> None:
    stylize(job, device="cpu")
    (job.path / "records" / "settings.json").unlink()
    assert stylize(job, device="cpu").frames_kept == 3
    assert job.kept_results() == []


@pytest.mark.parametrize("content", ["", "[]", json.dumps({"strength": "much"})])
def test_a_damaged_description_is_passed_over(job: Shot, content: str) -> None:
    stylize(job, device="cpu")
    (job.path / "results" / "oil" / "records").mkdir(parents=True)
    (job.path / "results" / "oil" / "records" / "settings.json").write_text(content)
    stylize(job, job.settings.updated({"seed": 7}), device="cpu")
    assert [kept.settings.seed for kept in job.kept_results()] == [0]


def test_two_processes_of_the_same_settings_share_a_result_and_others_are_refused(job: Shot) -> None:
    other = job.settings.updated({"seed": 7})
    with job.result_of(job.settings, Settings.__eq__), job.result_of(job.settings, Settings.__eq__):
        with pytest.raises(JobLockedError, match="with other settings"):
            stylize(job, other, frames=[1], device="cpu")
        assert stylize(job, frames=[1], device="cpu").frames_done == 1
    assert not list((job.path / ".claims").iterdir())
    stylize(job, other, frames=[1], device="cpu")
    assert [kept.settings.seed for kept in job.kept_results()] == [0]


def test_a_preview_has_the_bits_of_the_shot_and_touches_no_result(job: Shot) -> None:
    stylize(job, device="cpu", batch=2)
    before = files(job.path)
    other = job.settings.updated({"seed": 7})
    summary = stylize(job, other, frames=[2], preview=True, device="cpu", batch=2)
    assert (summary.frames_done, summary.movie) == (1, None)
    assert files(job.path) == before and job.kept_results() == []
    shown = read_png(job.output("preview").picture(2))
    stylize(job, other, device="cpu", batch=2)
    np.testing.assert_array_equal(shown, read_png(job.stylized(2)))
    assert stylize(job, other, frames=[2], preview=True, device="cpu").frames_kept == 1


def test_a_preview_needs_nothing_of_later_frames(job: Shot) -> None:
    job.color(1).unlink()
    job.color(3).unlink()
    job.passes(3).unlink()
    assert stylize(Shot.open(job.path, needs=()), frames=[2], preview=True, device="cpu").frames_done == 1
    assert [path.name for path in (job.path / "preview").iterdir()] == ["0002.png"]
