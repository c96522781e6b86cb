"""Key frames first, segments between them: the same bits however a shot is cut."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from warpnoise.coherence.keys import LOOK_AHEAD
from warpnoise.errors import JobError
from warpnoise.job import Settings, Shot
from warpnoise.media.png import read_png, write_png
from warpnoise.pipeline import key_frames, stylize, whole_segments
from warpnoise.pipeline.plan import Plan, key_pictures
from warpnoise.pipeline.segments import SegmentEditor

from .. import synthetic
from ..synthetic import Scene, current, finished_frames
from .conftest import settle

MakeJob = Callable[..., Shot]
CARRIED: dict[str, Any] = {"coherence": "balanced", "pull": 1.0, "accumulation": 0.0, "key_share": 0.12}
FRAMES = 7


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory, styled_model: Path) -> Shot:
    """Seven frames with a few key frames."""
    settings = Settings(model=str(styled_model), noise="warped", steps=8, **CARRIED)
    scene = Scene(24, 20, turn=0.07, spin=0.1)
    path = tmp_path_factory.mktemp("segments") / "untouched"
    job = synthetic.make_job(path, frames=FRAMES, width=24, height=20, scene=scene, settings=settings)
    settle(job.path)
    return job


@pytest.fixture(scope="module")
def stylized(untouched: Shot) -> Shot:
    """The same, stylized in one run."""
    whole = copy(untouched, "stylized")
    assert stylize(whole, device="cpu").movie is not None
    return whole


@pytest.fixture
def job(untouched: Shot, tmp_path: Path) -> Shot:
    return Shot.open(shutil.copytree(untouched.path, tmp_path / "job"), needs=())


@pytest.fixture
def finished(stylized: Shot, tmp_path: Path) -> Shot:
    return Shot.open(shutil.copytree(stylized.path, tmp_path / "finished"), needs=())


def copy(job: Shot, name: str) -> Shot:
    return Shot.open(shutil.copytree(job.path, job.path.with_name(name)), needs=())


def pictures(job: Shot) -> dict[int, np.ndarray]:
    return {frame: read_png(current(job).frame(frame)) for frame in finished_frames(job)}


def keys_of(job: Shot) -> tuple[int, ...]:
    plan = key_frames(job, job.settings, job.frames)
    assert plan is not None
    return plan.keys


def test_the_shot_has_several_segments(job: Shot) -> None:
    keys = keys_of(job)
    assert 1 < len(keys) < FRAMES
    parts = whole_segments(job, job.settings)
    assert [part[0] for part in parts] == list(keys)
    assert [frame for part in parts for frame in part] == job.frames


@pytest.mark.slow
def test_frames_are_drawn_toward_key_frames(job: Shot, stylized: Shot) -> None:
    stylize(job, job.settings.updated({"coherence": "off", "pull": 0.0}), device="cpu")
    made, alone = pictures(stylized), pictures(job)
    assert current(stylized).name != current(job).name
    np.testing.assert_array_equal(made[1], alone[1])  # the first key frame has nothing to be drawn toward
    for frame in job.frames[1:]:
        assert (made[frame] != alone[frame]).any()


@pytest.mark.slow
def test_each_segment_alone_and_in_any_order_has_the_bits_of_a_whole_run(job: Shot, stylized: Shot) -> None:
    for part in reversed(whole_segments(job, job.settings)):
        summary = stylize(job, frames=part, device="cpu")
        assert set(part) <= set(finished_frames(job))
    assert summary.movie is not None
    expected = pictures(stylized)
    for frame, picture in pictures(job).items():
        np.testing.assert_array_equal(picture, expected[frame])


@pytest.mark.slow
def test_transparent_frames_have_the_same_bits_however_the_shot_is_cut(make_job: MakeJob) -> None:
    scene = Scene(24, 20, turn=0.07, spin=0.1)
    options: dict[str, Any] = {"frames": 4, "width": 24, "height": 20, "noise": "warped", "steps": 4, **CARRIED}
    whole = make_job(scene=scene, transparent=True, **options)
    cut = copy(whole, "cut")
    assert (read_png(whole.color(1))[..., 3] == 0).any()
    stylize(whole, device="cpu")
    for frame in cut.frames:
        stylize(cut, frames=[frame], device="cpu")
    expected = pictures(whole)
    for frame, picture in pictures(cut).items():
        np.testing.assert_array_equal(picture, expected[frame])


@pytest.mark.slow
def test_chunks_run_in_parallel(job: Shot) -> None:
    parts = whole_segments(job, job.settings)
    result = stylize(job, frames=keys_of(job), device="cpu").result
    assert result is not None
    with result.lease(parts[0][0], parts[0][-1]):
        stylize(job, frames=parts[-1], device="cpu")
    assert set(parts[-1]) <= set(finished_frames(job))


@pytest.mark.slow
def test_only_frames_that_are_still_needed_stay_in_memory(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a shot of one segment, the frame before and the key frame."""
    held: list[int] = []
    forget = SegmentEditor._forget

    def watched(self: SegmentEditor, but: Any) -> None:
        forget(self, but)
        held.append(len(self._stylized))

    monkeypatch.setattr(SegmentEditor, "_forget", watched)
    scene = Scene(16, 16, turn=0.0, spin=0.0)
    shot = make_job(frames=LOOK_AHEAD + 5, width=16, height=16, scene=scene, steps=2, **CARRIED)
    assert keys_of(shot) == (1,)
    stylize(shot, device="cpu")
    assert len(held) > 3 and max(held) == 2


def test_frame_0_is_looked_ahead_to_from_frames_before_it() -> None:
    plan = Plan((-2, -1, 0, 1), (-2, 0), {}, {}, {}, 0.2)
    assert plan.last_read(-1) == 0
    for frame in plan.frames:
        assert set(plan.drawn_toward(frame)) < set(plan.in_order(frame)) or plan.drawn_toward(frame) == []


@pytest.mark.slow
def test_key_frames_first_and_the_rest_later(job: Shot, stylized: Shot) -> None:
    keys = keys_of(job)
    stylize(job, frames=keys, device="cpu")
    assert finished_frames(job) == list(keys)
    summary = stylize(job, device="cpu")
    assert summary.frames_kept == len(keys)
    expected = pictures(stylized)
    for frame, picture in pictures(job).items():
        np.testing.assert_array_equal(picture, expected[frame])


def test_a_run_resumed_in_a_segment_is_bit_identical(finished: Shot) -> None:
    expected = pictures(finished)
    lost = max(whole_segments(finished, finished.settings), key=len)[-1]
    current(finished).frame(lost).unlink()
    assert stylize(finished, device="cpu").frames_kept == FRAMES - 1
    np.testing.assert_array_equal(read_png(current(finished).frame(lost)), expected[lost])


@pytest.mark.slow
def test_another_key_frame_makes_the_frames_around_it_again(finished: Shot) -> None:
    later = keys_of(finished)[1]
    picture = read_png(finished.color(later))
    picture[5] = 65535 - picture[5]
    write_png(finished.color(later), picture)
    kept = stylize(finished, device="cpu").frames_kept
    assert kept < later  # also the frames before it that look ahead to it
    assert stylize(finished, device="cpu").frames_kept == FRAMES


@pytest.mark.slow
def test_a_preview_uses_existing_key_frames_and_names_missing_ones(job: Shot, caplog: pytest.LogCaptureFixture) -> None:
    frame = max(whole_segments(job, job.settings), key=len)[1]
    first = stylize(job, frames=[frame], preview=True, device="cpu")
    assert first.warnings == ()  # nothing is stylized yet, which is no reason to warn
    assert first.result is not None
    assert [each for each in job.frames if first.result.frame(each).is_file()] == [frame]
    bare = read_png(first.result.frame(frame))
    stylize(job, frames=[1], device="cpu")
    some = stylize(job, frames=[frame], preview=True, device="cpu")
    assert any("key frames that are not stylized yet" in warning for warning in some.warnings)
    stylize(job, frames=keys_of(job), device="cpu")
    with caplog.at_level("INFO"):
        second = stylize(job, frames=[frame], preview=True, device="cpu")
    assert not any("not stylized yet" in warning for warning in second.warnings)
    assert "drawn toward the finished frames 1" in caplog.text
    assert (read_png(first.result.frame(frame)) != bare).any()
    assert stylize(job, device="cpu").frames_kept == len(keys_of(job))


def test_a_preview_keeps_a_frame_of_the_shot(finished: Shot) -> None:
    frame = finished.frames[-1]
    made = current(finished).frame(frame).read_bytes()
    assert stylize(finished, frames=[frame], preview=True, device="cpu").frames_kept == 1
    assert current(finished).frame(frame).read_bytes() == made


def test_a_preview_needs_no_later_frame_but_the_shot_does(job: Shot) -> None:
    stylize(job, frames=[1], device="cpu")
    for frame in job.frames[3:]:
        job.passes(frame).unlink()
    assert stylize(job, frames=[3], preview=True, device="cpu").frames_done == 1
    with pytest.raises(JobError, match="coherence off"):
        stylize(job, frames=[3], device="cpu")


def paint(job: Shot, frame: int, size: tuple[int, int] = (20, 24), channels: int = 3) -> np.ndarray:
    picture = np.random.default_rng(frame).integers(0, 65536, (*size, channels), np.uint16)
    job.keys_folder.mkdir(exist_ok=True)
    write_png(job.keys_folder / f"{frame:04d}.png", picture)
    return picture


@pytest.mark.slow
def test_a_painted_key_frame_stays_and_its_look_is_carried(job: Shot, stylized: Shot) -> None:
    picture = paint(job, 4)
    assert 4 in keys_of(job)
    stylize(job, device="cpu")
    np.testing.assert_array_equal(read_png(current(job).frame(4)), picture)
    made, alone = pictures(job), pictures(stylized)
    for frame in (1, 2, 3, 5):  # before it, too
        assert (made[frame] != alone[frame]).any()
    paint(job, 4)[:] = 0
    write_png(job.keys_folder / "0004.png", np.zeros((20, 24, 3), np.uint16))
    assert stylize(job, device="cpu").frames_kept == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"frame": 4, "size": (20, 23)}, ["0004.png", "23 x 20", "24 x 20"]),
        ({"frame": 40}, ["0040.png", "0001.png to 0007.png"]),
    ],
)
def test_wrong_key_pictures_are_refused(job: Shot, options: dict[str, Any], words: list[str]) -> None:
    paint(job, **options)
    with pytest.raises(JobError) as refusal:
        stylize(job, device="cpu")
    assert all(word in str(refusal.value) for word in words)
    assert not job.results()


@pytest.mark.parametrize("name", ["hero.png", "4.png", "+0004.png", "0_004.png", "0004.PNG", "0004.jpg"])
def test_a_key_picture_that_is_not_named_like_a_frame_is_refused(job: Shot, name: str) -> None:
    paint(job, 4)
    (job.keys_folder / "0004.png").rename(job.keys_folder / name)
    with pytest.raises(JobError, match=re.escape(name)):
        stylize(job, device="cpu")


def test_other_files_beside_key_pictures_are_ignored(job: Shot) -> None:
    paint(job, 4)
    for name in ("._0004.png", "notes.txt", "0004.kra"):
        (job.keys_folder / name).write_text("not a picture")
    assert list(key_pictures(job)) == [4]


def test_a_file_in_the_place_of_the_key_pictures_is_refused(job: Shot) -> None:
    job.keys_folder.write_text("")
    with pytest.raises(JobError, match="expected a folder"):
        stylize(job, device="cpu")


@pytest.mark.parametrize("preset", ["lively", "off"])
def test_key_pictures_that_have_no_effect_are_reported(make_job: MakeJob, preset: str) -> None:
    job = make_job(frames=2, width=24, height=20, coherence=preset)
    paint(job, 1)
    assert any("have no effect" in warning for warning in stylize(job, device="cpu").warnings)


def test_attention_without_effect_is_reported(make_job: MakeJob) -> None:
    job = make_job(frames=1, attention=0.5)
    assert any("`attention` has no effect" in warning for warning in stylize(job, device="cpu").warnings)


@pytest.mark.slow
def test_a_preview_names_only_key_frames_that_must_be_stylized(job: Shot) -> None:
    paint(job, 4)
    stylize(job, frames=[1], device="cpu")
    (warning,) = stylize(job, frames=[5], preview=True, device="cpu").warnings
    assert "(3, 6)" in warning


def test_a_key_picture_without_alpha_is_refused_where_frames_have_some(make_job: MakeJob) -> None:
    job = make_job(frames=3, width=24, height=20, transparent=True, **CARRIED)
    paint(job, 2)
    with pytest.raises(JobError, match="no alpha"):
        stylize(job, device="cpu")
    paint(job, 2, channels=4)
    stylize(job, device="cpu")
    assert read_png(current(job).frame(3)).shape[2] == 4


def test_unknown_motion_is_reported(make_job: MakeJob) -> None:
    job = make_job(frames=3, cuts=(2, 3), **CARRIED)
    summary = stylize(job, device="cpu")
    assert any("No motion is known" in warning for warning in summary.warnings)
    assert summary.movie is not None


def test_a_missing_colour_of_a_key_frame_is_named(job: Shot, tmp_path: Path) -> None:
    job.color(1).unlink()
    with pytest.raises(JobError, match=r"color/0001\.png"):
        stylize(job, frames=[job.frames[-1]], device="cpu")
