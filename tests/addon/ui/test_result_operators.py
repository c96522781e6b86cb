"""A result back into Blender: strip, image sequence, movie; and why there is none."""

from __future__ import annotations

import json
from pathlib import Path

import bpy
import pytest

import warpnoise_addon
from warpnoise_addon import compat
from warpnoise_addon.ui.make_request import existing_output

from ..result_files import frames_of, result_of, write_result

OPERATORS = ("add_strip", "show_frames", "open_movie")


@pytest.fixture
def scene():
    bpy.ops.wm.read_factory_settings(use_empty=True)
    warpnoise_addon.register()
    yield bpy.context.scene
    warpnoise_addon.unregister()


@pytest.fixture
def job(scene, tmp_path) -> Path:
    """Frames 5, 7 and 9 of a shot with step 2."""
    folder = tmp_path / "job"
    write_result(folder)
    image = bpy.data.images.new("fixture", 8, 4)
    for frame in (5, 7, 9):
        image.save(filepath=str(frames_of(folder) / f"{frame:04d}.png"))
    bpy.data.images.remove(image)
    (folder / "job.json").write_text(json.dumps({"scene": {"frame_start": 5, "frame_end": 9, "frame_step": 2}}))
    scene.warpnoise.output = str(folder)
    return folder


def test_without_a_result_nothing_can_be_brought(scene, tmp_path):
    for output in ("", str(tmp_path), __file__):
        scene.warpnoise.output = output
        for name in OPERATORS:
            assert not getattr(bpy.ops.warpnoise, name).poll()


def test_a_strip_holds_each_frame_until_the_next(scene, job):
    assert bpy.ops.warpnoise.add_strip() == {"FINISHED"}
    (strip,) = compat.sequencer_strips(scene)
    renamed = compat.has_property(strip, "left_handle")
    start, end = ("left_handle", "right_handle") if renamed else ("frame_final_start", "frame_final_end")
    assert (getattr(strip, start), getattr(strip, end), strip.channel) == (5, 11, 1)
    assert [e.filename for e in strip.elements] == [f"{n:04d}.png" for n in (5, 5, 7, 7, 9, 9)]
    assert Path(bpy.path.abspath(strip.directory)).resolve() == frames_of(job).resolve()


def test_a_strip_is_replaced_and_others_stay(scene, job):
    strips = compat.sequencer_strips(scene)
    strips.new_effect(name="mine", type="COLOR", channel=3, frame_start=1, **_length())
    for _ in range(2):
        bpy.ops.warpnoise.add_strip()
    assert sorted((strip.type, strip.channel) for strip in strips) == [("COLOR", 3), ("IMAGE", 4)]


def _length() -> dict[str, int]:
    parameters = bpy.types.ColorStrip if hasattr(bpy.types, "ColorStrip") else bpy.types.ColorSequence
    assert parameters is not None
    collection = compat.sequencer_strips(bpy.context.scene)
    names = collection.bl_rna.functions["new_effect"].parameters.keys()
    return {"length": 20} if "length" in names else {"frame_end": 21}


def test_the_frames_are_one_image_sequence(scene, job):
    for _ in range(2):
        assert bpy.ops.warpnoise.show_frames() == {"FINISHED"}
    (image,) = [image for image in bpy.data.images if image.source == "SEQUENCE"]
    assert Path(bpy.path.abspath(image.filepath)) == frames_of(job) / "0005.png"


def test_a_damaged_job_is_reported(scene, job):
    (job / "job.json").write_text("{}")
    for name in ("add_strip", "show_frames"):
        with pytest.raises(RuntimeError, match="does not describe a job"):
            getattr(bpy.ops.warpnoise, name)()


def test_a_movie_needs_its_file(scene, job):
    assert not bpy.ops.warpnoise.open_movie.poll()
    (result_of(job) / "movie.mp4").touch()
    assert bpy.ops.warpnoise.open_movie.poll()


def test_a_part_of_the_job_folder_is_looked_for(scene, job):
    assert existing_output(scene, "results") == job and existing_output(scene, "color") is None
    (job / "color").mkdir()
    assert existing_output(scene, "color") == job
