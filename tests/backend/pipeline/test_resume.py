"""Which frames an edit of a job makes unfinished."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from warpnoise.errors import Cancelled, MediaError
from warpnoise.job import ModelInfo, Result, Shot, digest_cache
from warpnoise.job.digest_cache import DigestCache
from warpnoise.media.picture_digest import picture_digest
from warpnoise.media.png import read_png, write_png
from warpnoise.pipeline import made_of, stylize
from warpnoise.pipeline.made_of import MadeOf, all_recorded, effective, result_name, unfinished
from warpnoise.progress import Progress
from warpnoise.sdedit import ModelFolder

from .. import synthetic

MakeJob = Callable[..., Shot]


def cache(job: Shot, cancelled: Callable[[], bool] | None = None) -> DigestCache:
    job.results_folder.mkdir(exist_ok=True)
    return DigestCache(job.path, job.results_folder, cancelled)


def chain(job: Shot, cancelled: Callable[[], bool] | None = None, **settings: Any) -> MadeOf:
    chosen = job.settings.updated(settings)
    folder, known = ModelFolder.open(chosen.model), cache(job, cancelled)
    model = ModelInfo(name=chosen.model, digest=folder.digest_through(known.digest))
    return MadeOf(job, effective(chosen, folder), model, known)


def left(job: Shot, result: Result, frames: list[int] | None = None) -> list[int]:
    return unfinished(job, result, frames or job.frames, chain(job), cache(job))


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
    monkeypatch.setattr(made_of, "ALGORITHM_VERSION", -1)
    assert changed(first, digests(job)) == [True] * 3


def test_a_frame_without_its_file_or_record_is_unfinished(make_job: MakeJob) -> None:
    job = make_job()
    result = Result(job.path / "made")
    assert left(job, result) == [1, 2, 3]
    stylize(job, device="cpu", result=result)
    assert left(job, result) == [] and all_recorded(job, result)
    result.frame(2).unlink()
    (result.folder / "records" / "0003.json").unlink()
    assert left(job, result) == [2, 3] and left(job, result, [1]) == []
    assert not all_recorded(job, result)
    touch(job.passes(1))
    assert left(job, result) == [1, 2, 3]


@pytest.mark.parametrize(
    "change", [lambda data: data[:-9], lambda data: data[:60] + b"?" + data[61:], lambda data: b""]
)
def test_a_changed_picture_is_made_again(make_job: MakeJob, change: Callable[[bytes], bytes]) -> None:
    job = make_job()
    result = stylize(job, device="cpu").result
    assert result is not None
    expected = result.frame(2).read_bytes()
    for path in (result.frame(2), result.movie):
        path.write_bytes(change(path.read_bytes()))
    summary = stylize(job, device="cpu")
    assert summary.frames_kept == 2 and result.frame(2).read_bytes() == expected
    assert result.is_finished(result.movie, result.record(result.movie).made_of)
    result.movie.write_bytes(b"not the movie")
    stylize(job, device="cpu")
    assert result.is_finished(result.movie, result.record(result.movie).made_of)


def test_a_picture_that_is_replaced_after_it_was_read_is_stylized_by_the_next_run(make_job: MakeJob) -> None:
    """The record tells what was read, not what lies there when the frame is written."""
    job = make_job()
    color = job.color(1)

    def replace(now: Progress) -> None:
        if now.stage == "stylizing" and now.step == 1 and now.frames_done == 0:
            write_png(color, 65535 - read_png(color))
            os.utime(color, (1e9, 2e9))

    first = stylize(job, device="cpu", batch=3, progress=replace).result
    old = first.frame(1).read_bytes()
    summary = stylize(job, device="cpu", batch=3)
    assert summary.frames_kept == 2 and first.frame(1).read_bytes() != old


def test_a_file_that_is_replaced_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "0001.png"
    path.write_bytes(b"old")
    with pytest.raises(MediaError, match=r"0001\.png was replaced while it was read"), digest_cache.unchanged(path):
        path.write_bytes(b"newer")
    with pytest.raises(MediaError, match="Cannot read"), digest_cache.unchanged(tmp_path / "nowhere"):
        pass


def test_result_names_contain_the_style_and_differ_with_the_pictures(make_job: MakeJob) -> None:
    settings, model = make_job().settings, ModelInfo(name="/models/Big One", digest="d")
    plain = result_name(settings, model)
    assert re.fullmatch(r"big-one-[0-9a-f]{8}", plain)
    assert re.fullmatch(r"ink-3-[0-9a-f]{8}", result_name(settings.updated({"style": "Ink 3"}), model))
    assert re.fullmatch(r"result-[0-9a-f]{8}", result_name(settings.updated({"style": "墨"}), model))
    assert result_name(settings, ModelInfo(name="Big One", digest="d")) == plain
    others = [result_name(settings, ModelInfo(name="Big One", digest="e"))]
    others += [result_name(settings.updated({name: value}), model) for name, value in (("seed", 5), ("eta", 1.0))]
    assert len({plain, *others}) == 4


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

    monkeypatch.setattr(digest_cache.DigestCache.digest, "__defaults__", (counting,))
    return read


def test_a_first_run_reads_nothing_of_the_frames_before_it_begins(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job()
    read = count_reads(monkeypatch)
    left(job, Result(job.path / "made"))
    assert not [path for path in read if path.is_relative_to(job.path)]


def test_files_that_are_unchanged_are_not_read_again(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job()
    with cache(job) as known:
        first = [known.digest(path) for path in (job.passes(1), job.color(1), job.passes(2))]
    read = count_reads(monkeypatch)
    with cache(job) as known:
        assert [known.digest(path) for path in (job.passes(1), job.color(1), job.passes(2))] == first
        assert read == []
        touch(job.passes(1))
        assert known.digest(job.passes(1)) != first[0]
        assert read == [job.passes(1)]
    # It is as young as its time's tick: its digest is not remembered.
    cache(job).digest(job.passes(1))
    assert read == [job.passes(1)] * 2


@pytest.mark.parametrize("content", [b"", b"[]", b'{"passes/0001.exr": 3}', b"\xff"])
def test_a_damaged_memory_costs_only_time(make_job: MakeJob, content: bytes) -> None:
    job = make_job()
    first = digests(job)
    (job.results_folder / "digests.json").write_bytes(content)
    with cache(job) as known:
        assert digests(job) == first
        known.digest(job.color(1))
    with cache(job) as again:
        assert set(again._known) == {"color/0001.png"}


def test_what_two_read_at_the_same_time_is_remembered_of_both(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job()
    with cache(job) as one, cache(job) as other:
        one.digest(job.passes(1))
        other.digest(job.passes(2))
    read = count_reads(monkeypatch)
    cache(job).digest_all([job.passes(1), job.passes(2)])
    assert read == []
