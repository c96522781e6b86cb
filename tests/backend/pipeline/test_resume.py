"""Which frames an edit of a job makes unfinished."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from warpnoise.errors import Cancelled, MediaError
from warpnoise.job import Shot
from warpnoise.media.digest import picture_digest
from warpnoise.pipeline import inputs, resume
from warpnoise.pipeline.inputs import InputDigests
from warpnoise.sdedit import ModelFolder

from .. import synthetic

MakeJob = Callable[..., Shot]


def chain(job: Shot, cancelled: Callable[[], bool] | None = None, **settings: Any) -> resume.FrameChain:
    chosen = job.settings.updated(settings)
    return resume.FrameChain(job, chosen, ModelFolder.open(chosen.model), InputDigests(job, cancelled))


def digests(job: Shot, **settings: Any) -> list[str]:
    made = chain(job, **settings)
    return [made.digest(frame) for frame in job.frames]


def changed(before: list[str], after: list[str]) -> list[bool]:
    return [old != new for old, new in zip(before, after, strict=True)]


def touch(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) * 3 // 4] ^= 1
    path.write_bytes(content)


def test_every_frame_has_its_own_and_it_stays(make_job: MakeJob) -> None:
    job = make_job()
    first = digests(job)
    assert len(set(first)) == 3
    assert digests(Shot.open(job.path)) == first


def test_a_color_concerns_its_frame_and_passes_all_later_ones_too(make_job: MakeJob) -> None:
    job = make_job()
    first = digests(job)
    touch(job.color(2))
    second = digests(job)
    assert changed(first, second) == [False, True, False]
    touch(job.passes(2))
    assert changed(second, digests(job)) == [False, True, True]


def test_cameras_concern_all_later_frames(make_job: MakeJob) -> None:
    job = make_job()
    first = digests(job)
    frames = list(job.info.frames)
    frames[1] = frames[1].model_copy(update={"camera": synthetic.Scene(turn=0.5).camera(1)})
    job.info = job.info.model_copy(update={"frames": tuple(frames)})
    assert changed(first, digests(job)) == [False, True, True]


@pytest.mark.parametrize(
    "change",
    [
        {"strength": 0.6},
        {"steps": 5},
        {"seed": 1},
        {"eta": 1.0},
        {"style": "clay"},
        {"guidance": 2.0},
        {"texture": 0.2},
        {"noise": "fixed"},
    ],
)
def test_settings_concern_every_frame(make_job: MakeJob, change: dict[str, Any]) -> None:
    job = make_job()
    assert changed(digests(job), digests(job, **change)) == [True] * 3


@pytest.mark.parametrize("change", [{"prompt": "a cat"}, {"guidance": 1.5}, {"texture": 0.0}, {"style": "ink"}])
def test_settings_that_mean_the_same_concern_none(make_job: MakeJob, change: dict[str, Any]) -> None:
    """The model takes no prompt, its own guidance is 1.5, it has no texture and its first style is ink."""
    job = make_job()
    assert digests(job) == digests(job, **change)


def test_another_model_and_other_versions_concern_every_frame(
    make_job: MakeJob, tmp_path: Path, styled_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job()
    first = digests(job)
    copy = shutil.copytree(styled_model, tmp_path / "copy")
    assert digests(job, model=str(copy)) == first
    touch(copy / "unet" / "diffusion_pytorch_model.safetensors")
    assert changed(first, digests(job, model=str(copy))) == [True] * 3
    monkeypatch.setattr(resume, "ALGORITHM_VERSION", -1)
    assert changed(first, digests(job)) == [True] * 3


def test_a_frame_without_its_file_is_unfinished(make_job: MakeJob) -> None:
    job = make_job()
    assert chain(job).unfinished(job.frames, job.output()) == [1, 2, 3]
    job.stylized(2).parent.mkdir()
    job.stylized(2).touch()
    job.stylized(3).touch()
    job.output().digests().record(2, chain(job).digest(2))
    job.output().digests().record(3, "another")
    assert chain(job).unfinished(job.frames, job.output()) == [1, 3]
    assert chain(job).unfinished([2], job.output()) == []
    assert not chain(job).all_finished()
    for frame in (1, 3):
        job.stylized(frame).touch()
        job.output().digests().record(frame, chain(job).digest(frame))
    assert chain(job).all_finished()
    touch(job.passes(1))
    assert not chain(job).all_finished()


def test_reading_can_fail_and_be_cancelled(make_job: MakeJob) -> None:
    job = make_job()
    with pytest.raises(Cancelled):
        chain(job, lambda: True)
    job.passes(2).unlink()
    with pytest.raises(MediaError, match=r"0002\.exr"):
        chain(job).digest(3)


def count_reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    read: list[Path] = []

    def counting(path: Path) -> str:
        read.append(path)
        return picture_digest(path)

    monkeypatch.setattr(inputs, "picture_digest", counting)
    return read


def test_a_first_run_reads_nothing_of_the_frames_before_it_begins(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job()
    read = count_reads(monkeypatch)
    chain(job).unfinished(job.frames, job.output())
    assert not [path for path in read if path.is_relative_to(job.path)]


def test_files_that_are_unchanged_are_not_read_again(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job()
    with InputDigests(job) as known:
        first = [known.digest(path) for path in (job.passes(1), job.color(1), job.passes(2))]
    read = count_reads(monkeypatch)
    with InputDigests(job) as known:
        assert [known.digest(path) for path in (job.passes(1), job.color(1), job.passes(2))] == first
        assert read == []
        touch(job.passes(1))
        assert known.digest(job.passes(1)) != first[0]
        assert read == [job.passes(1)]
    # It is as young as its time's tick: its digest is not remembered.
    InputDigests(job).digest(job.passes(1))
    assert read == [job.passes(1)] * 2


@pytest.mark.parametrize("content", [b"", b"[]", b'{"passes/0001.exr": 3}', b"\xff"])
def test_a_damaged_memory_costs_only_time(make_job: MakeJob, content: bytes) -> None:
    job = make_job()
    job.records.mkdir()
    first = digests(job)
    (job.records / "inputs.json").write_bytes(content)
    with InputDigests(job) as known:
        assert digests(job) == first
        known.digest(job.color(1))
    with InputDigests(job) as again:
        assert set(again._known) == {"color/0001.png"}


def test_what_two_read_at_the_same_time_is_remembered_of_both(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job()
    with InputDigests(job) as one, InputDigests(job) as other:
        one.digest(job.passes(1))
        other.digest(job.passes(2))
    read = count_reads(monkeypatch)
    InputDigests(job).read_all([job.passes(1), job.passes(2)])
    assert read == []
