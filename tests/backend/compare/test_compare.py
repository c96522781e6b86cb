"""The whole comparison on a toy model: what it makes, that it goes on, what it refuses."""

from __future__ import annotations

import itertools
import json
import re
import shutil

import numpy as np
import pytest
from warpnoise.compare import CompareOptions
from warpnoise.compare.compare import Comparison, compare
from warpnoise.errors import Cancelled, JobError, JobLockedError, SettingsError
from warpnoise.job import Settings, Shot
from warpnoise.media.png import read_png, write_png
from warpnoise.sdedit import load_model

from .. import synthetic

SMALL = CompareOptions(methods=("random", "fixed", "warped"), seeds=2)


def never(*_):
    raise AssertionError("a model was loaded")


def files(folder):
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def made(tmp_path_factory, model):
    """A comparison that is made once; tests work on copies of it."""
    folder = tmp_path_factory.mktemp("made") / "job"
    job = synthetic.make_job(folder, frames=3, settings=Settings(model=str(model), steps=2))
    return compare(job, SMALL)


@pytest.fixture
def finished(made, tmp_path):
    shutil.copytree(made.page.parents[1], tmp_path / "job")
    place = tmp_path / "job" / "compare"
    return Comparison(made.report, place / "compare.html", place / "compare.json")


@pytest.fixture
def finished_job(finished):
    return Shot.open(finished.page.parents[1])


@pytest.mark.slow
def test_what_it_makes(finished_job, finished):
    assert finished.page == finished_job.path / "compare" / "compare.html"
    report = json.loads(finished.figures.read_text())
    assert report == finished.report.to_json()
    assert list(report["tasks"]) == ["appearance", "super-resolution"]
    assert report["seeds"] == [0, 1] and report["lags"] == [1]
    for name, task in report["tasks"].items():
        assert list(task["methods"]) == ["random", "fixed", "warped"]
        for figures in task["methods"].values():
            assert len(figures["incoherence"]["1"]["values"]) == 2
            assert figures["seconds_per_frame"]["mean"] > 0
            assert (figures["psnr"] is not None) == (name == "super-resolution")
        assert task["methods"]["random"]["sharpness"]["mean"] == 1
    assert report["tasks"]["super-resolution"]["settings"]["strength"] == 0.3
    assert set(report["tasks"]["super-resolution"]["floor"]) == {"input", "reference"}
    for path in ("appearance/warped/seed1/frames/0003.png", "super-resolution/fixed/seed0/frames/0001.png"):
        assert read_png(finished_job.path / "compare" / path).shape == (32, 32, 3)
    assert not finished_job.results_folder.exists()


@pytest.mark.slow
def test_the_noise_of_a_moving_scene(finished):
    noise = finished.report.noise
    assert noise["warped"].fidelity[1].mean == pytest.approx(1, abs=0.1)
    assert noise["random"].fidelity[1].mean == pytest.approx(0, abs=0.1)
    assert noise["fixed"].fidelity[1].mean < 0.9


def test_the_page_needs_nothing_else(finished):
    page = finished.page.read_text()
    assert page.count("data:video/mp4;base64,") == 2
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert "http" not in re.sub(r"base64,[^\"]*", "", page).replace("http-equiv", "")
    figures = page.split('id="figures">')[1].split("</script>")[0]
    assert json.loads(figures) == finished.report.to_json()


@pytest.mark.slow
def test_a_second_time_nothing_is_made_again(finished_job, finished):
    made = {path: time for path, time in files(finished_job.path / "compare").items() if path.suffix == ".png"}
    before = finished.figures.read_text()
    again = compare(finished_job, SMALL, load=never)
    assert {path: time for path, time in files(finished_job.path / "compare").items() if path in made} == made
    assert again.figures.read_text() == before


@pytest.mark.slow
def test_more_seeds_keep_the_first_ones(finished_job, finished):
    kept = {path: time for path, time in files(finished_job.path / "compare").items() if "seed0" in str(path)}
    more = compare(finished_job, CompareOptions(methods=("random", "fixed", "warped"), seeds=3, tasks=("appearance",)))
    assert len(more.report.tasks["appearance"].methods["warped"].incoherence[1].values) == 3
    now = files(finished_job.path / "compare")
    assert {path: now[path] for path in kept if path.suffix == ".png"} == {
        path: time for path, time in kept.items() if path.suffix == ".png"
    }


@pytest.mark.slow
def test_a_picture_that_was_changed_is_made_again(finished_job, finished):
    path = finished_job.path / "compare/appearance/warped/seed0/frames/0002.png"
    before = read_png(path)
    write_png(path, np.zeros((32, 32, 3), np.uint16))
    again = compare(finished_job, SMALL)
    assert again.report.tasks == finished.report.tasks
    np.testing.assert_array_equal(read_png(path), before)


@pytest.mark.slow
def test_cancelled_in_the_middle_and_resumed(job):
    seen = []

    def cancelled():
        return any(now.stage == "stylizing" and now.frames_done >= 4 for now in seen)

    with pytest.raises(Cancelled):
        compare(job, SMALL, progress=seen.append, cancelled=cancelled)
    made = files(job.path / "compare").items()
    kept = {path: time for path, time in made if re.search(r"seed\d/frames/\d+\.png", str(path))}
    assert 4 <= len(kept) < 12
    assert not (job.path / "compare" / "compare.html").exists()
    compare(job, SMALL)
    now = files(job.path / "compare")
    assert {path: now[path] for path in kept} == kept


@pytest.mark.slow
def test_the_model_is_loaded_once(job):
    loads = []

    def load(*arguments):
        loads.append(arguments)
        return load_model(*arguments)

    compare(job, CompareOptions(methods=("fixed", "nearest"), seeds=1), load=load)
    assert len(loads) == 1


@pytest.mark.slow
def test_super_resolution_restores_the_reference(job, tmp_path):
    folder = tmp_path / "reference"
    for frame in job.frames:
        write_png(folder / f"{frame:04d}.png", 65535 - read_png(job.color(frame)))
    options = CompareOptions(methods=("warped",), tasks=("super-resolution",), seeds=1, reference=folder)
    compare(job, options)
    reduced = read_png(job.path / "compare" / "super-resolution" / "input" / "frames" / "0001.png")
    off = [np.abs(reduced.astype(float) - read_png(path)).mean() for path in (folder / "0001.png", job.color(1))]
    assert off[0] < 0.5 * off[1]


@pytest.mark.slow
def test_what_holds_frames_together_is_compared_side_by_side(job):
    options = CompareOptions(
        methods=("warped",), tasks=("coherence",), seeds=1, settings=job.settings.updated({"steps": 8})
    )
    task = compare(job, options).report.tasks["coherence"]
    assert list(task.methods) == ["plain", "pull", "accumulation", "together"]  # this model has no attention
    assert task.methods["plain"].drift.mean == 0
    assert task.methods["plain"].sharpness.mean == 1
    assert all(task.methods[name].drift.mean > 0 for name in ("pull", "accumulation", "together"))
    page = (job.path / "compare" / "compare.html").read_text()
    assert "All together" in page and "Low-band drift" in page


@pytest.mark.slow
def test_a_reference_gives_distances_and_a_floor(job, tmp_path):
    folder = tmp_path / "reference"
    for frame in job.frames:
        write_png(folder / f"shot-{frame:04d}.png", read_png(job.color(frame)))
    options = CompareOptions(methods=("random", "warped"), tasks=("appearance",), seeds=1, reference=folder)
    task = compare(job, options).report.tasks["appearance"]
    assert task.floor["input"].ssim is not None and task.floor["input"].ssim.mean == pytest.approx(1)
    assert task.methods["warped"].psnr is not None
    assert task.floor["reference"].incoherence == task.floor["input"].incoherence


@pytest.mark.slow
def test_output_elsewhere_leaves_the_job_unchanged(job, tmp_path):
    before = files(job.path)
    options = CompareOptions(methods=("warped",), tasks=("super-resolution",), seeds=1, output=tmp_path / "elsewhere")
    assert compare(job, options).page.parent == tmp_path / "elsewhere"
    assert files(job.path) == before


@pytest.mark.slow
def test_transparent_pictures(tmp_path, model):
    job = synthetic.make_job(tmp_path / "job", frames=3, transparent=True, settings=Settings(model=str(model), steps=2))
    task = compare(job, CompareOptions(methods=("warped",), seeds=1)).report.tasks["super-resolution"]
    assert task.floor["reference"].incoherence[1].mean < 1
    assert read_png(job.path / "compare/super-resolution/warped/seed0/frames/0001.png").shape[2] == 4


def test_one_frame_is_refused(tmp_path, model):
    job = synthetic.make_job(tmp_path / "job", frames=1, settings=Settings(model=str(model), steps=2))
    with pytest.raises(JobError, match="only one frame"):
        compare(job, SMALL)


def test_a_shot_in_which_nothing_moves_is_refused(tmp_path, model):
    job = synthetic.make_job(
        tmp_path / "job",
        scene=StillScene(32, 32),
        frames=2,
        settings=Settings(model=str(model), steps=2),
    )
    with pytest.raises(JobError, match="nothing moves"):
        compare(job, SMALL)


class StillScene(synthetic.Scene):
    def camera(self, t):
        return super().camera(0)

    def objects(self, t):
        return super().objects(0)


def test_a_cut_at_every_frame_is_refused(tmp_path, model):
    job = synthetic.make_job(tmp_path / "job", frames=3, cuts=(2, 3), settings=Settings(model=str(model), steps=2))
    with pytest.raises(JobError, match="no surface is visible in two"):
        compare(job, SMALL)


def test_missing_passes_are_named(job):
    job.passes(2).unlink()
    with pytest.raises(JobError, match=r"passes/0002\.exr"):
        Shot.open(job.path)


def test_a_reference_that_does_not_fit(job, tmp_path):
    def with_reference(folder):
        return compare(job, CompareOptions(methods=("warped",), seeds=1, reference=folder))

    with pytest.raises(JobError, match=r"There is no folder '.*nowhere'"):
        with_reference(tmp_path / "nowhere")
    folder = tmp_path / "reference"
    write_png(folder / "0001.png", read_png(job.color(1)))
    with pytest.raises(JobError, match="no file for 2 of 3 frames: 2, 3"):
        with_reference(folder)
    for frame in (2, 3):
        write_png(folder / f"{frame:04d}.png", np.zeros((16, 32, 3), np.uint16))
    with pytest.raises(JobError, match=r"expected 32 x 32 pixels, as the job has, got 32 x 16"):
        with_reference(folder)
    shutil.copy(folder / "0002.png", folder / "again-0002.png")
    with pytest.raises(JobError, match="two files for frame 2"):
        with_reference(folder)


def test_a_style_that_the_model_has_not_is_refused_before_anything_is_made(job):
    options = CompareOptions(settings=job.settings.updated({"style": "oil"}))
    with pytest.raises(SettingsError, match="oil"):
        compare(job, options)
    assert not (job.path / "compare").exists()


def test_two_comparisons_in_one_folder(job):
    refused = []

    def progress(now):
        if now.stage == "noise" and not refused:
            with pytest.raises(JobLockedError, match="Another comparison"):
                compare(job, SMALL)
            refused.append(True)

    compare(job, CompareOptions(methods=("fixed",), tasks=("appearance",), seeds=1), progress=progress)
    assert refused


@pytest.mark.slow
def test_progress_counts_frames_and_ends(job):
    seen = []
    compare(job, CompareOptions(methods=("fixed", "warped"), tasks=("appearance",), seeds=1), progress=seen.append)
    stages = list(dict.fromkeys(now.stage for now in seen))
    assert stages == ["reading", "noise", "stylizing", "measuring", "page", "finished"]
    stylizing = [now for now in seen if now.stage == "stylizing"]
    assert stylizing[-1].frames_done == stylizing[-1].frames_total == 6
    assert all(a.frames_done <= b.frames_done for a, b in itertools.pairwise(stylizing))
