"""A job folder: opening, missing files, differences of matrices, its results."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from warpnoise.errors import JobError, MediaError
from warpnoise.job import ModelInfo, ResultInfo, Settings, Shot
from warpnoise.job.frame_ranges import frame_name
from warpnoise.media.png import write_png

from .. import synthetic


@pytest.fixture
def job(tmp_path: Path) -> Shot:
    return synthetic.make_job(tmp_path / "job", frames=3, width=10, height=8, frame_start=-1)


@pytest.mark.parametrize(
    ("frame", "name"), [(1, "0001"), (-3, "-0003"), (0, "0000"), (12345, "12345"), (-12345, "-12345")]
)
def test_frame_names(frame: int, name: str) -> None:
    assert frame_name(frame) == name


def test_open_reads_what_create_wrote(job: Shot) -> None:
    opened = Shot.open(job.path)
    assert opened.info == job.info
    assert opened.frames == [-1, 0, 1]
    assert opened.color(-1) == job.path / "color" / "-0001.png"
    assert opened.passes(1) == job.path / "passes" / "0001.exr"
    assert (opened.scene.width, opened.scene.height) == (10, 8)


def test_states_resolve_the_differences(job: Shot) -> None:
    written = json.loads((job.path / "job.json").read_text())
    assert [sorted(frame["objects"]) for frame in written["frames"]] == [
        ["Ball", "Elsewhere", "Floor"],
        ["Ball", "Elsewhere"],
        ["Ball", "Elsewhere"],
    ]
    scene = synthetic.Scene(10, 8)
    states = list(Shot.open(job.path).states())
    for t, state in enumerate(states):
        assert sorted(state.objects) == ["Ball", "Elsewhere", "Floor"]
        for name, matrix in scene.objects(t).items():
            np.testing.assert_array_equal(state.objects[name], matrix)
    assert states[0].objects["Floor"] is states[2].objects["Floor"]


def test_objects_go_and_come(tmp_path: Path) -> None:
    source = synthetic.make_job(tmp_path / "source", frames=3, width=8, height=8)
    here, there = np.eye(4), np.diag([2.0, 2, 2, 1])
    job = Shot.create(
        tmp_path / "job",
        passes=[source.passes(f) for f in source.frames],
        color=[source.color(f) for f in source.frames],
        objects=[{"A": here, "B": here}, {"B": here}, {"A": there, "B": here}],
        cuts=[1, 3],
        settings=Settings(steps=3),
        name="Shot",
    )
    states = list(Shot.open(job.path).states())
    assert [sorted(state.objects) for state in states] == [["A", "B"], ["B"], ["A", "B"]]
    np.testing.assert_array_equal(states[2].objects["A"], there)
    assert [state.cut for state in states] == [False, False, True]  # nothing is before the first frame
    assert (job.scene.name, job.settings.steps) == ("Shot", 3)
    assert all(state.camera is None for state in states)


def test_create_refuses(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="at least one frame"):
        Shot.create(tmp_path / "job", passes=[], color=[])
    with pytest.raises(ValueError, match="one item for each frame"):
        Shot.create(tmp_path / "job", passes=[tmp_path / "a.exr"], color=[])
    write_png(tmp_path / "a.png", np.zeros((2, 2, 3), np.uint16))
    with pytest.raises(MediaError, match=r"no file .*a\.exr"):
        Shot.create(tmp_path / "job", passes=[tmp_path / "a.exr"], color=[tmp_path / "a.png"])
    assert not (tmp_path / "job" / "job.json").exists()


def test_a_folder_without_a_job(tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"holds no job\.json"):
        Shot.open(tmp_path)
    with pytest.raises(JobError, match="is not a folder"):
        Shot.open(tmp_path / "nowhere")
    (tmp_path / "job.json").write_text('{"schema": 2,')
    with pytest.raises(JobError, match="is not JSON"):
        Shot.open(tmp_path)


def test_missing_files_are_named(job: Shot) -> None:
    job.passes(0).unlink()
    job.color(1).unlink()
    with pytest.raises(JobError, match=r"lacks color/0001\.png, passes/0000\.exr\. Export"):
        Shot.open(job.path)
    with pytest.raises(JobError, match=r"lacks passes/0000\.exr\. "):
        Shot.open(job.path, needs=("passes",))
    assert Shot.open(job.path, needs=()).frames == job.frames


def test_a_picture_of_another_size(job: Shot) -> None:
    write_png(job.color(0), np.zeros((8, 9, 3), np.uint16))
    with pytest.raises(JobError, match=r"0000\.png: expected 10 x 8 pixels.*got 9 x 8"):
        Shot.open(job.path)


def test_a_folder_without_results_has_none_in_use(job: Shot) -> None:
    assert (job.results(), job.current()) == ([], None)


def test_results_are_listed_and_one_is_in_use(job: Shot) -> None:
    info = ResultInfo(settings=Settings(), model=ModelInfo(name="m", digest="d"))
    for name in ("oil-1", "ink-0", ".deleted-clay-2-6f3a"):
        job.result(name).create(info)
    (job.results_folder / "damaged").mkdir()
    assert [result.name for result in job.results()] == ["ink-0", "oil-1"]
    job.use(job.result("oil-1"))
    assert json.loads((job.path / "current.json").read_text()) == {"result": "oil-1"}
    assert Shot.open(job.path).current() == job.result("oil-1")
    job.use(job.result("ink-0"))
    assert job.current() == job.result("ink-0")


@pytest.mark.parametrize("content", ["", "[]", '{"result": 3}', '{"result": "../results"}', '{"result": "gone-1"}'])
def test_a_damaged_name_of_the_result_in_use_is_none(job: Shot, content: str) -> None:
    (job.path / "current.json").write_text(content)
    assert job.current() is None


def test_the_same_shot_with_other_pictures(job: Shot) -> None:
    other = job.with_color(lambda frame: Path("elsewhere") / f"{frame}.png")
    assert other.color(1) == Path("elsewhere/1.png") and other.passes(1) == job.passes(1)
