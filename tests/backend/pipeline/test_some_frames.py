"""Some frames of a job, alone or with others at work beside: the same bits as in one run over all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from warpnoise.errors import JobError, JobLockedError
from warpnoise.job import Shot, chunk_of
from warpnoise.media.png import read_png, write_png
from warpnoise.pipeline import stylize

from ..synthetic import current, finished_frames

MakeJob = Callable[..., Shot]
CHUNKS = 3


@pytest.fixture
def job(make_job: MakeJob) -> Shot:
    """Seven frames: chunks of 2, 2 and 3, and batches of two that lie across their borders."""
    return make_job(frames=7, noise="warped", eta=1.0)


def copy(job: Shot, name: str) -> Shot:
    return Shot.open(shutil.copytree(job.path, job.path.with_name(name)), needs=())


def whole(job: Shot, batch: int) -> dict[int, np.ndarray]:
    done = copy(job, "whole")
    stylize(done, device="cpu", batch=batch)
    return {frame: read_png(current(done).frame(frame)) for frame in done.frames}


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_each_chunk_runs_in_a_folder_with_only_its_inputs(job: Shot, threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)  # they share out the places of a batch
    try:
        expected = whole(job, 3)
        for number in range(1, CHUNKS + 1):
            frames = chunk_of(job.frames, number, CHUNKS)
            part = copy(job, f"chunk {number}")
            for frame in part.frames:
                if frame not in frames:
                    part.color(frame).unlink()
                if frame > frames[-1]:
                    part.passes(frame).unlink()
            summary = stylize(part, frames=frames, device="cpu", batch=3)
            assert (summary.frames_done, summary.frames_total, summary.movie) == (len(frames), len(frames), None)
            assert finished_frames(part) == frames
            for frame in frames:
                np.testing.assert_array_equal(read_png(current(part).frame(frame)), expected[frame])
    finally:
        torch.set_num_threads(before)


@pytest.mark.slow
def test_the_last_chunk_writes_the_movie_though_the_export_was_unfinished_when_it_began(job: Shot) -> None:
    begun = job.info.model_copy(update={"frames": job.info.frames[:2]})
    stylize(job, frames=job.frames[2:], device="cpu")
    summary = stylize(Shot(job.path, begun), frames=job.frames[:2], device="cpu")
    assert summary.movie is not None and summary.movie.is_file()


@pytest.mark.slow
def test_all_chunks_at_once_in_one_folder_and_the_last_one_writes_the_movie(job: Shot) -> None:
    expected = whole(job, 2)
    environment = dict(os.environ, CUDA_VISIBLE_DEVICES="", OMP_NUM_THREADS="1")
    command = [sys.executable, "-m", "warpnoise", "stylize", str(job.path), "--batch", "2", "--device", "cpu"]
    processes = [
        subprocess.Popen([*command, "--chunk", f"{number}/{CHUNKS}"], env=environment)
        for number in range(1, CHUNKS + 1)
    ]
    try:
        assert [process.wait(timeout=300) for process in processes] == [0] * CHUNKS
    finally:
        for process in processes:
            process.kill()
            process.wait()
    for frame in job.frames:
        np.testing.assert_array_equal(read_png(current(job).frame(frame)), expected[frame])
    whole_movie = current(Shot.open(job.path.with_name("whole"))).movie
    assert current(job).movie.read_bytes() == whole_movie.read_bytes()
    assert not [path for path in (current(job).folder / "leases").iterdir() if "_" in path.name]
    assert stylize(job, device="cpu", batch=2).frames_kept == 7


@pytest.mark.slow
def test_single_frames_that_are_not_side_by_side(job: Shot) -> None:
    expected = whole(job, 3)
    stylize(job, frames=[6, 2], device="cpu", batch=3)
    assert finished_frames(job) == [2, 6]
    for frame in (2, 6):
        np.testing.assert_array_equal(read_png(current(job).frame(frame)), expected[frame])


def test_no_frames_are_done_at_once(job: Shot) -> None:
    summary = stylize(job, frames=[], device="cpu")
    assert (summary.frames_total, summary.movie) == (0, None)
    assert not job.results_folder.exists()


@pytest.mark.slow
def test_others_work_on_other_frames_and_none_on_the_same(job: Shot) -> None:
    stylize(job, frames=[7], device="cpu")
    with current(job).lease(3, 4):
        assert stylize(job, frames=[1, 2], device="cpu").frames_done == 2
        for frames in ([4, 5], [1, 7], None):
            with pytest.raises(JobLockedError, match=r"works on frames 3 to 4 of"):
                stylize(job, frames=frames, device="cpu")
    assert finished_frames(job) == [1, 2, 7]


@pytest.mark.slow
def test_a_movie_is_written_again_when_a_frame_has_changed(job: Shot) -> None:
    stylize(job, device="cpu")
    first = current(job).movie.read_bytes()
    write_png(job.color(7), 65535 - read_png(job.color(7)))
    assert stylize(job, frames=[1, 2, 3], device="cpu").movie is None
    assert stylize(job, frames=[4, 5, 6, 7], device="cpu").movie == current(job).movie
    assert current(job).movie.read_bytes() != first


@pytest.mark.slow
def test_only_one_process_writes_the_movie(job: Shot) -> None:
    stylize(job, frames=[1], device="cpu")
    with current(job).movie_lease():
        assert stylize(job, frames=job.frames, device="cpu").movie is None
    assert not current(job).movie.exists()
    assert stylize(job, device="cpu").movie == current(job).movie


def test_missing_files_are_named_before_the_start(job: Shot) -> None:
    job.passes(2).unlink()
    job.color(5).unlink()
    with pytest.raises(JobError, match=r"lacks passes/0002\.exr\."):
        stylize(job, frames=[3], device="cpu")
    with pytest.raises(JobError, match=r"has no frame 8: it holds 1 to 7"):
        stylize(job, frames=[7, 8], device="cpu")
    assert stylize(job, frames=[1], device="cpu").frames_done == 1
    job.info = job.info.model_copy(update={"frames": job.info.frames[:3]})
    with pytest.raises(JobError, match="lists only frames 1 to 3"):
        stylize(job, frames=[4], device="cpu")
    assert finished_frames(job) == [1]
