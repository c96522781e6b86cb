"""Accumulation of results and of any tool's frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from warpnoise.coherence.accumulate import RADIUS
from warpnoise.coherence.keys import LOOK_AHEAD
from warpnoise.errors import JobError
from warpnoise.job import Shot
from warpnoise.media.png import read_png, write_png
from warpnoise.pipeline import accumulate_finished, accumulate_folder, stylize

from ..synthetic import Scene, current, finished_frames

MakeJob = Callable[..., Shot]
FRAMES = 5


@pytest.fixture
def job(make_job: MakeJob) -> Shot:
    scene = Scene(24, 20, turn=0.04, spin=0.05)
    settings: dict[str, Any] = {"pull": 0.0, "accumulation": 1.0, "key_share": 0.3}
    return make_job(frames=FRAMES, width=24, height=20, scene=scene, **settings)


def test_a_result_keeps_its_frames_as_they_were_and_has_the_means(job: Shot) -> None:
    newest: dict[str, set[int | None]] = {}
    summary = stylize(job, device="cpu", progress=lambda now: newest.setdefault(now.stage, set()).add(now.newest_frame))
    assert summary.movie is not None
    assert newest["stylizing"] == {None}  # none of them is in the result yet
    assert newest["accumulating"] == {None, *job.frames}
    result = current(job)
    raw, final = (
        np.stack([read_png(each.frame(frame)) for frame in job.frames]).astype(float) for each in (result.raw, result)
    )
    assert (raw != final).any()
    assert np.abs(np.diff(final, axis=0)).mean() < np.abs(np.diff(raw, axis=0)).mean()
    assert stylize(job, device="cpu").frames_kept == FRAMES


def test_chunks_leave_it_to_the_last_and_the_command_does_the_same(job: Shot) -> None:
    stylize(job, device="cpu")
    expected = {frame: read_png(current(job).frame(frame)) for frame in job.frames}
    for frame in job.frames:
        current(job).frame(frame).unlink()
    assert accumulate_finished(job) == current(job)
    for frame in job.frames:
        np.testing.assert_array_equal(read_png(current(job).frame(frame)), expected[frame])
    current(job).raw.frame(3).unlink()
    current(job).frame(3).unlink()
    stylize(job, frames=[1, 2], device="cpu")
    assert 3 not in finished_frames(job)
    with pytest.raises(JobError, match="frame 3 is not stylized"):
        accumulate_finished(job)


@pytest.mark.slow
def test_a_chunk_knows_the_key_frames_that_the_frames_after_it_look_ahead_to(make_job: MakeJob) -> None:
    settings: dict[str, Any] = {"coherence": "balanced", "pull": 1.0, "accumulation": 1.0, "steps": 2}
    key = 1 + RADIUS + LOOK_AHEAD
    job = make_job(
        frames=key,
        width=16,
        height=16,
        scene=Scene(16, 16, turn=0.0, spin=0.0),
        cuts=(key,),
        noise="warped",
        **settings,
    )
    stylize(job, device="cpu")
    expected = read_png(current(job).frame(1))
    current(job).frame(1).unlink()
    accumulate_finished(job, [1])
    np.testing.assert_array_equal(read_png(current(job).frame(1)), expected)


@pytest.mark.slow
def test_a_preview_keeps_accumulated_frames_and_shows_those_that_wait(job: Shot) -> None:
    stylize(job, frames=[1, 2], device="cpu")
    result = current(job)
    waits = stylize(job, frames=[2], preview=True, device="cpu")
    assert (waits.frames_kept, waits.warnings) == (1, ())
    np.testing.assert_array_equal(read_png(result.frame(2)), read_png(result.raw.frame(2)))
    stylize(job, frames=[4], preview=True, device="cpu")
    stylize(job, device="cpu")  # averages the previewed frames, too
    accumulated = {frame: (read_png(result.frame(frame)), result.record(result.frame(frame))) for frame in job.frames}
    assert stylize(job, frames=[2], preview=True, device="cpu").frames_kept == 1
    assert (read_png(result.frame(2)) == accumulated[2][0]).all()
    assert {frame: result.record(result.frame(frame)) for frame in job.frames} == {
        frame: record for frame, (_, record) in accumulated.items()
    }
    assert not any(record is None or record.preview for _, record in accumulated.values())
    assert (accumulated[2][0] != read_png(result.raw.frame(2))).any()


def test_a_painted_key_frame_stays_as_it_is(job: Shot) -> None:
    painted = np.random.default_rng(0).integers(0, 65536, (20, 24, 3), np.uint16)
    job.keys_folder.mkdir()
    write_png(job.keys_folder / "0003.png", painted)
    stylize(job, job.settings.updated({"pull": 1.0}), device="cpu")
    result = current(job)
    np.testing.assert_array_equal(read_png(result.frame(3)), painted)
    assert (read_png(result.frame(2)) != read_png(result.raw.frame(2))).any()


def test_without_accumulation_there_is_nothing_to_do(job: Shot) -> None:
    stylize(job, job.settings.updated({"accumulation": 0.0}), device="cpu")
    assert accumulate_finished(job) is None
    assert not current(job).raw.folder.exists()


def test_frames_of_another_tool(job: Shot, tmp_path: Path) -> None:
    source, target = tmp_path / "frames", tmp_path / "steady"
    source.mkdir()
    for frame in job.frames:
        flicker = 5000 if frame % 2 else -5000
        picture = read_png(job.color(frame)).astype(float) / 2 + 16000 + flicker
        write_png(source / f"{frame:04d}.png", picture.astype(np.uint16))
    written = accumulate_folder(job, source, target, amount=1.0)
    assert [path.name for path in written] == [f"{frame:04d}.png" for frame in job.frames]
    before, after = (
        np.abs(np.diff([read_png(folder / path.name).mean() for path in written])).mean() for folder in (source, target)
    )
    assert after < 0.9 * before


def test_missing_and_wrong_frames_are_named_and_nothing_is_written(job: Shot, tmp_path: Path) -> None:
    source, target = tmp_path / "frames", tmp_path / "steady"
    source.mkdir()
    for frame in job.frames[:-1]:
        write_png(source / f"{frame:04d}.png", read_png(job.color(frame)))
    with pytest.raises(JobError, match=r"frames lacks 0005\.png"):
        accumulate_folder(job, source, target)
    assert not target.exists()
    write_png(source / "0005.png", np.zeros((10, 24, 3), np.uint16))
    with pytest.raises(JobError, match="24 x 10; expected 24 x 20"):
        accumulate_folder(job, source, target)
    assert not target.exists()


def test_frames_of_another_tool_replace_nothing(job: Shot, tmp_path: Path) -> None:
    source, file = job.color(1).parent, tmp_path / "file"
    before = {path: path.read_bytes() for path in source.iterdir()}
    file.write_text("")
    for target, refusal in [
        (source, "folder of the frames to average"),
        (job.path / "passes", "in the job folder"),
        (file, "is a file"),
    ]:
        with pytest.raises(JobError, match=refusal):
            accumulate_folder(job, source, target)
    assert {path: path.read_bytes() for path in source.iterdir()} == before
