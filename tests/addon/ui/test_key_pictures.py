"""Key pictures: copied under their frame's number, refused where they do not fit, removed again."""

from __future__ import annotations

from pathlib import Path

import bpy
import pytest

import warpnoise_addon


@pytest.fixture
def scene(tmp_path: Path):
    bpy.ops.wm.read_factory_settings(use_empty=False)
    warpnoise_addon.register()
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 64, 48, 50
    scene.warpnoise.output = str(tmp_path / "job")
    yield scene
    warpnoise_addon.unregister()


def picture(path: Path, width: int, height: int) -> str:
    image = bpy.data.images.new("key", width, height)
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()
    return str(path)


def test_a_picture_is_copied_under_its_frames_number_and_removed(scene, tmp_path):
    source = picture(tmp_path / "painted.png", 32, 24)
    assert bpy.ops.warpnoise.add_key_picture(filepath=source, frame=-3) == {"FINISHED"}
    copy = tmp_path / "job" / "keys" / "-0003.png"
    assert copy.read_bytes() == Path(source).read_bytes()
    assert bpy.ops.warpnoise.remove_key_picture(name="../keys/-0003.png") == {"CANCELLED"} and copy.exists()
    assert bpy.ops.warpnoise.remove_key_picture(name="-0003.png") == {"FINISHED"} and not copy.exists()


def test_pictures_that_do_not_fit_are_refused(scene, tmp_path):
    with pytest.raises(RuntimeError, match="has 64 x 48 pixels; the render has 32 x 24"):
        bpy.ops.warpnoise.add_key_picture(filepath=picture(tmp_path / "large.png", 64, 48), frame=1)
    (tmp_path / "text.png").write_text("a text")
    with pytest.raises(RuntimeError, match="is not a PNG picture"):
        bpy.ops.warpnoise.add_key_picture(filepath=str(tmp_path / "text.png"), frame=1)
    with pytest.raises(RuntimeError, match="cannot be read"):
        bpy.ops.warpnoise.add_key_picture(filepath=str(tmp_path / "none.png"), frame=1)
    assert not (tmp_path / "job").exists()
