"""Results of several settings side by side, and previews beside them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from warpnoise.job import Result, Settings, Shot
from warpnoise.media.png import read_png
from warpnoise.pipeline import stylize
from warpnoise.pipeline.made_of import effective
from warpnoise.sdedit import ModelFolder

from ..synthetic import current

MakeJob = Callable[..., Shot]


@pytest.fixture
def job(make_job: MakeJob) -> Shot:
    return make_job(frames=3, noise="warped", eta=1.0)


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Everything in a folder but locks and remembered digests: contents and times."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    kept = [path for path in found if path.suffix != ".lock" and path.name not in (".lock", "digests.json")]
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in kept}


def result_of(job: Shot, **changes: object) -> Result:
    result = stylize(job, job.settings.updated(changes), device="cpu").result
    assert result is not None
    return result


@pytest.mark.slow
def test_each_seed_has_a_result_and_coming_back_makes_nothing_again(job: Shot) -> None:
    first = result_of(job)
    before = files(first.folder)
    second = result_of(job, seed=7)
    assert first != second and files(first.folder) == before
    assert job.current() == second and {first, second} == set(job.results())
    summary = stylize(job, device="cpu")
    assert (summary.frames_kept, summary.result, summary.movie) == (3, first, first.movie)
    assert files(first.folder) == before and job.current() == first


def test_the_shot_is_not_written_to(job: Shot) -> None:
    before = files(job.path)
    result_of(job)
    after = files(job.path)
    assert {name: after[name] for name in before} == before
    assert {name.split("/")[0] for name in after.keys() - before.keys()} == {"results", "current.json"}


def test_a_result_tells_its_effective_settings_and_its_model(job: Shot) -> None:
    info = result_of(job).info()
    assert info is not None and (info.settings.style, info.settings.guidance) == ("ink", 1.5)
    assert info.model.name == job.settings.model and len(info.model.digest) >= 32


def test_settings_that_make_the_same_pictures_are_one_result(job: Shot) -> None:
    """This model takes no prompt."""
    first = result_of(job)
    summary = stylize(job, job.settings.updated({"prompt": "an ink drawing", "style": "ink"}), device="cpu")
    assert (summary.result, summary.frames_kept, job.results()) == (first, 3, [first])


def test_coherence_is_balanced_for_all_models_unless_the_noise_is_for_comparison(styled_model: Path) -> None:
    latent_model = Path(__file__).parents[2] / "data" / "latent-model"
    for model in (ModelFolder.open(styled_model), ModelFolder.open(latent_model)):
        chosen = effective(Settings(), model)
        assert (chosen.coherence, chosen.pull, chosen.accumulation) == ("balanced", 1.0, 0.0)
        assert effective(Settings(coherence="balanced"), model) == chosen
        assert effective(Settings(coherence="steady"), model).coherence == "steady"
        assert effective(Settings(coherence="steady", accumulation=0), model) == chosen
        assert effective(Settings(coherence="off"), model).coherence == "off"
        compared = effective(Settings(noise="random"), model)
        assert (compared.coherence, compared.pull) == ("off", None)
        assert effective(Settings(noise="random", coherence="balanced"), model).pull == 1.0


@pytest.mark.slow
def test_the_default_uses_coherence_and_the_result_and_the_log_say_so(
    make_job: Callable[..., Shot], caplog: pytest.LogCaptureFixture
) -> None:
    shot = make_job(noise="warped", frames=2, coherence="auto")
    with caplog.at_level(logging.INFO):
        stylize(shot, device="cpu")
    assert [record.message for record in caplog.records if "coherence" in record.message] == [
        "coherence: automatic, which is balanced here"
    ]
    info = current(shot).info()
    assert info is not None and (info.settings.coherence, info.settings.pull) == ("balanced", 1.0)
    default = current(shot).frame(2).read_bytes()
    assert stylize(shot, shot.settings.updated({"coherence": "balanced"}), device="cpu").frames_kept == 2
    assert stylize(shot, shot.settings.updated({"coherence": "off"}), device="cpu").frames_kept == 0
    assert current(shot).frame(2).read_bytes() != default


def test_two_results_can_be_made_at_the_same_time(job: Shot) -> None:
    first = result_of(job)
    with first.lease(1, 3):
        assert result_of(job, seed=7) != first


def test_a_run_that_fails_before_its_first_frame_leaves_the_result_in_use(job: Shot) -> None:
    first = result_of(job)
    job.color(1).write_bytes(job.color(1).read_bytes()[:-20])
    with pytest.raises(Exception, match="cut off"):
        result_of(job, seed=7)
    assert job.current() == first


def test_a_result_that_lies_elsewhere_leaves_the_job_folder_alone(job: Shot, tmp_path: Path) -> None:
    before = files(job.path)
    summary = stylize(job, device="cpu", result=Result(tmp_path / "elsewhere" / "seed0"))
    assert summary.movie == tmp_path / "elsewhere" / "seed0" / "movie.mp4" and files(job.path) == before


@pytest.mark.slow
def test_a_preview_has_the_bits_of_the_shot_and_touches_no_other_result(job: Shot) -> None:
    first = result_of(job)
    before = files(first.folder)
    other = job.settings.updated({"seed": 7})
    summary = stylize(job, other, frames=[2], preview=True, device="cpu", batch=2)
    assert (summary.frames_done, summary.movie, job.current()) == (1, None, first)
    assert files(first.folder) == before and summary.result is not None
    shown = read_png(summary.result.frame(2))
    assert stylize(job, other, frames=[2], preview=True, device="cpu").frames_kept == 1
    assert stylize(job, other, device="cpu", batch=2).frames_kept == 0, "it may have been made in another batch"
    assert job.current() == summary.result
    np.testing.assert_array_equal(shown, read_png(summary.result.frame(2)))


def test_a_frame_of_the_shot_is_its_own_preview(job: Shot) -> None:
    first = result_of(job)
    before = files(first.folder)
    assert stylize(job, frames=[2], preview=True, device="cpu").frames_kept == 1
    assert files(first.folder) == before and current(job) == first


def test_a_preview_needs_nothing_of_later_frames(job: Shot) -> None:
    job.color(1).unlink()
    job.color(3).unlink()
    job.passes(3).unlink()
    summary = stylize(Shot.open(job.path, needs=()), frames=[2], preview=True, device="cpu")
    assert summary.frames_done == 1 and summary.result is not None
    assert [path.name for path in (summary.result.folder / "frames").iterdir()] == ["0002.png"]
