"""The results of a shot: listed, switched between, deleted; what Blender shows of them follows."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

import bpy
import pytest

import warpnoise_addon
from warpnoise_addon import compat
from warpnoise_addon.errors import JobFolderError
from warpnoise_addon.results import current_folder, list_results, remove_result, use_result
from warpnoise_addon.settings import describe, make_settings

from .result_files import write_result

OIL, INK = make_settings(style="oil", steps=8), make_settings(style="ink", seed=3)


@pytest.fixture
def job(tmp_path) -> Path:
    folder = tmp_path / "job"
    for name, settings, frames in (("ink-11111111", INK, (1, 2)), ("oil-00000000", OIL, (1, 2, 3))):
        result = write_result(folder, name, settings)
        for frame in frames:
            (result / "frames" / f"{frame:04d}.png").touch()
    (folder / "results" / ".deleted-clay-1").mkdir()
    (folder / "results" / "inputs.json").write_text("{}")
    return folder


def test_listing(job):
    assert [(result.name, describe(result.settings), result.frames) for result in list_results(job)] == [
        ("ink-11111111", "ink, 0.5, seed 3", 2),
        ("oil-00000000", "oil, 0.5, steps 8", 3),
    ]
    assert current_folder(job) == job / "results" / "oil-00000000"


def test_switching_writes_one_file(job):
    def files() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in job.rglob("*") if path.name != "current.json"}

    before = files()
    assert use_result(job, "ink-11111111").settings == INK
    assert current_folder(job) == job / "results" / "ink-11111111"
    assert {path: time for path, time in files().items() if path != job} == {
        path: time for path, time in before.items() if path != job
    }
    with pytest.raises(JobFolderError, match="has no result 'clay-2'"):
        use_result(job, "clay-2")
    assert current_folder(job) == job / "results" / "ink-11111111"


@pytest.mark.parametrize("name", ["../results/ink-11111111", "..", ".deleted-clay-1", "", "/etc"])
def test_names_do_not_lead_out_of_the_folder(job, name):
    for act in (use_result, remove_result):
        with pytest.raises(JobFolderError, match="is not the name of a result"):
            act(job, name)
    (job / "current.json").write_text(json.dumps({"result": name}))
    assert current_folder(job) is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"settings": []}',
        '{"settings": {"strength": "much"}}',
        '{"settings": {"colour": 1}}',
        "[" * 999,
    ],
)
def test_damaged_results_are_not_listed(job, content):
    (job / "results" / "oil-00000000" / "settings.json").write_text(content)
    assert [result.name for result in list_results(job)] == ["ink-11111111"]


def test_deleting(job):
    remove_result(job, "ink-11111111")
    assert [result.name for result in list_results(job)] == ["oil-00000000"]
    assert not (job / "results" / "ink-11111111").exists()
    remove_result(job, "ink-11111111")  # somebody else was quicker


def test_a_result_that_is_stylized_is_not_deleted(job):
    lease = job / "results" / "ink-11111111" / "leases" / "1_24_ab.lock"
    with lease.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(JobFolderError, match="is being stylized"):
            remove_result(job, "ink-11111111")
    assert len(list_results(job)) == 2
    remove_result(job, "ink-11111111")  # its holder is gone
    assert len(list_results(job)) == 1


def test_operators_point_blender_to_the_result(job):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    warpnoise_addon.register()
    try:
        scene = bpy.context.scene
        scene.warpnoise.output = str(job)
        (job / "job.json").write_text(json.dumps({"scene": {"frame_start": 1, "frame_end": 3, "frame_step": 1}}))
        picture = bpy.data.images.new("fixture", 4, 4)
        for path in job.rglob("*.png"):
            picture.save(filepath=str(path))
        bpy.data.images.remove(picture)
        for name in ("add_to_compositor", "add_strip", "show_frames"):
            assert getattr(bpy.ops.warpnoise, name)() == {"FINISHED"}
        other = bpy.data.images.load(str(job / "results" / "oil-00000000" / "frames" / "0002.png"))
        elsewhere = bpy.data.images.new("elsewhere", 4, 4)
        elsewhere.filepath = str(job / "color" / "0001.png")

        assert bpy.ops.warpnoise.use_result(result="ink-11111111") == {"FINISHED"}
        frames = job / "results" / "ink-11111111" / "frames"
        shown = [image for image in bpy.data.images if image.name.startswith("Stylized")]
        assert len(shown) == 2 and {Path(image.filepath).parent for image in (*shown, other)} == {frames}
        assert Path(elsewhere.filepath).parent.name == "color"
        (strip,) = compat.sequencer_strips(compat.sequencer_scene(bpy.context))
        assert Path(strip.directory) == frames
        # The group of the compositor is found by its image, and stays the only one.
        assert bpy.ops.warpnoise.add_to_compositor() == {"FINISHED"}
        assert sum("warpnoise_job" in group for group in bpy.data.node_groups) == 1
        assert bpy.ops.warpnoise.remove_result(result="oil-00000000") == {"FINISHED"}
        assert [result.name for result in list_results(job)] == ["ink-11111111"]
    finally:
        warpnoise_addon.unregister()
