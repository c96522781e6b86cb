"""What is sent of a picture: pixels, and nothing that Blender notes about the user."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from warpnoise_addon import compat
from warpnoise_addon.backend.picture_transfer import NoPictureError, SentPicture

NOTES = (b"secret-project", b"SecretScene", b"RenderTime", b"Date", b"Note", b"secret note")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A PNG and a multilayer EXR of Blender's, with all notes on."""
    folder = tmp_path_factory.mktemp("secret-project")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.name = "SecretScene"
    bpy.ops.mesh.primitive_cube_add()
    scene.camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(scene.camera)
    scene.camera.location = (0, 0, 8)
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 1
    scene.cycles.use_denoising = False
    scene.view_layers[0].use_pass_vector = scene.view_layers[0].use_pass_cryptomatte_object = True
    scene.render.resolution_x, scene.render.resolution_y = 24, 20
    for name in ("date", "time", "render_time", "frame", "scene", "camera", "filename", "note"):
        setattr(scene.render, f"use_stamp_{name}", True)
    scene.render.metadata_input = "SCENE"
    scene.render.stamp_note_text = "secret note"
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "secret.blend"))
    paths = {}
    for suffix, settings in (
        ("png", {"file_format": "PNG", "color_depth": "16"}),
        ("exr", compat.multilayer_exr(scene.render.image_settings) | {"exr_codec": "ZIP"}),
    ):
        for name, value in settings.items():
            setattr(scene.render.image_settings, name, value)
        scene.render.filepath = str(folder / f"frame.{suffix}")
        bpy.ops.render.render(write_still=True)
        paths[suffix] = folder / f"frame.{suffix}"
    return paths


def pixels(path: Path) -> np.ndarray:
    image = bpy.data.images.load(str(path))
    try:
        image.colorspace_settings.name = "Non-Color"
        return np.array(image.pixels[:], np.float32)
    finally:
        bpy.data.images.remove(image)


@pytest.mark.parametrize("suffix", ["png", "exr"])
def test_notes_are_not_sent_and_pixels_are(rendered: dict[str, Path], tmp_path: Path, suffix: str) -> None:
    whole = rendered[suffix].read_bytes()
    assert sum(note in whole for note in NOTES) >= 4, "Blender noted nothing"
    picture = SentPicture(rendered[suffix])
    sent = b"".join(picture.blocks())
    assert len(sent) == picture.size < len(whole)
    assert not [note for note in NOTES if note in sent]
    (tmp_path / f"sent.{suffix}").write_bytes(sent)
    assert b"".join(SentPicture(tmp_path / f"sent.{suffix}").blocks()) == sent
    if suffix == "png":
        np.testing.assert_array_equal(pixels(tmp_path / "sent.png"), pixels(rendered["png"]))
    else:
        assert b"cryptomatte/" in sent and b"Cube" in sent


@pytest.mark.parametrize("suffix", ["png", "exr"])
def test_files_that_are_cut_off_are_not_sent(rendered: dict[str, Path], tmp_path: Path, suffix: str) -> None:
    whole = rendered[suffix].read_bytes()
    for part in (0, 4, 8, 20, len(whole) // 10):
        (tmp_path / "part").write_bytes(whole[:part])
        with pytest.raises(NoPictureError):
            SentPicture(tmp_path / "part")
