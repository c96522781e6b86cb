"""Existing frames, through the whole exporter: pictures, and EXR files that hold the passes.

What single files are taken or refused for is tested in `tests/backend/ingest`.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np
import pytest

from warpnoise_addon import compat
from warpnoise_addon.backend import BackendCommand
from warpnoise_addon.errors import BackendError, ExportError, SettingsError
from warpnoise_addon.export import ExportOptions, export_job

from .export_scenes import add_mesh, key
from .png_pixels import read_png

FORMATS = {
    "8.png": ("PNG", "8", 257),
    "16.png": ("PNG", "16", 1),
    "jpg": ("JPEG", "8", 257 * 12),
    "8.tif": ("TIFF", "8", 257),
    "16.tif": ("TIFF", "16", 2),
    "exr": ("OPEN_EXR", "32", 1),
    "layers.exr": ("OPEN_EXR_MULTILAYER", "32", 1),
}


@pytest.fixture
def lit(scene: bpy.types.Scene) -> bpy.types.Scene:
    """A moving cube under a grey world; its film is transparent."""
    cube = add_mesh(scene, "cube", "Cube", size=3)
    key(cube, "location", {1: (0, 0, 0), 3: (1, 0, 0)})
    scene.world = bpy.data.worlds.new("World")
    scene.world.color = (0.3, 0.5, 0.2)
    scene.render.film_transparent = True
    scene.render.dither_intensity = 0.0
    scene.cycles.samples = 4
    return scene


def render(
    scene: bpy.types.Scene, folder: Path, kind: str = "layers.exr", mode: str = "RGBA", name: str = "f_"
) -> Path:
    """Frames 1 to 3 as a user renders them, with all passes."""
    file_format, depth, _ = FORMATS[kind]
    settings = scene.render.image_settings
    layer = scene.view_layers[0]
    layer.use_pass_z = layer.use_pass_vector = layer.use_pass_cryptomatte_object = True
    if compat.has_property(settings, "media_type"):
        settings.media_type = "MULTI_LAYER_IMAGE" if "MULTI" in file_format else "IMAGE"
    settings.file_format, settings.color_depth = file_format, depth
    settings.quality = 100
    if mode == "RGB" or file_format == "JPEG":
        settings.color_mode = "RGB"
    elif "MULTI" not in file_format:
        settings.color_mode = mode
    scene.render.filepath = str(folder / f"{name}####")
    scene.frame_start, scene.frame_end = 1, 3
    bpy.ops.render.render(animation=True)
    return folder


def export(folder: Path, start: int = 1, end: int = 3, **options: object) -> dict:
    for _ in export_job(bpy.context, ExportOptions(folder, start, end, **options)):
        pass
    return json.loads((folder / "job.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_equals_a_render(lit: bpy.types.Scene, tmp_path: Path, kind: str) -> None:
    export(tmp_path / "reference")
    source = render(lit, tmp_path / "source", kind)
    job = export(tmp_path / "job", color_source=source)
    tolerance = FORMATS[kind][2]
    assert job["scene"]["transparent"] is (kind != "jpg")
    for frame in (1, 2, 3):
        expected = read_png(tmp_path / "reference" / "color" / f"{frame:04d}.png").astype(int)
        got = read_png(tmp_path / "job" / "color" / f"{frame:04d}.png").astype(int)
        assert got.shape == (64, 64, 3 if kind == "jpg" else 4)
        if kind == "jpg":  # without alpha; at edges JPEG errs
            inside = expected[..., 3] == 65535
            assert np.abs(got - expected[..., :3])[inside].mean() < tolerance
        else:
            # Where there is hardly any alpha, straight colours of 8 bits are hardly any either.
            seen = expected[..., 3] > 32768 if tolerance > 1 else expected[..., 3] > 0
            assert np.abs(got - expected)[seen].max() <= tolerance
            assert np.abs(got - expected)[..., 3].max() <= tolerance


def test_grey_pictures(lit: bpy.types.Scene, tmp_path: Path) -> None:
    job = export(tmp_path / "job", color_source=render(lit, tmp_path / "source", "8.png", mode="BW"))
    pixels = read_png(tmp_path / "job" / "color" / "0001.png")
    assert pixels.shape == (64, 64, 3)
    assert (pixels[..., 0] == pixels[..., 2]).all()
    assert job["scene"]["transparent"] is False


def test_pictures_keep_their_encoding_under_any_view(lit: bpy.types.Scene, tmp_path: Path) -> None:
    source = render(lit, tmp_path / "source", "8.png", mode="RGB")
    lit.view_settings.view_transform, lit.view_settings.exposure = "Standard", 2.0
    export(tmp_path / "job", color_source=source)
    given = read_png(source / "f_0002.png").astype(int)
    np.testing.assert_array_equal(read_png(tmp_path / "job" / "color" / "0002.png"), given * 257)


def test_passes_are_copied(lit: bpy.types.Scene, tmp_path: Path) -> None:
    reference = export(tmp_path / "reference")
    source = render(lit, tmp_path / "source")
    job = export(tmp_path / "job", color_source=source, passes_source=source)
    for frame in (1, 2, 3):
        copy = tmp_path / "job" / "passes" / f"{frame:04d}.exr"
        assert copy.read_bytes() == (source / f"f_{frame:04d}.exr").read_bytes()
    assert job["scene"].pop("averaged_vectors") and not reference["scene"].pop("averaged_vectors")
    assert job == reference


def test_only_what_is_asked_for_is_read(lit: bpy.types.Scene, tmp_path: Path) -> None:
    """More frames than the range, other files, and names that hold other numbers."""
    source = render(lit, tmp_path / "source", "8.png", name="shot2_v003-")
    (source / "notes.txt").write_text("0001")
    (source / "thumbnail.png").write_bytes(b"")
    (source / ".hidden0001.png").write_bytes(b"")
    job = export(tmp_path / "job", 2, 3, color_source=source)
    assert [entry["frame"] for entry in job["frames"]] == [2, 3]
    (source / "shot2_v003-0002.png").unlink()
    part = ExportOptions(tmp_path / "part", 1, 3, color_source=source, color_frames=[1, 3])
    assert [exported.frame for exported in export_job(bpy.context, part) if exported.color] == [1, 3]


class TestRefused:
    """Nothing is rendered, and no folder is made, when the given frames do not fit."""

    @pytest.fixture
    def refused(self, lit: bpy.types.Scene, tmp_path: Path) -> Callable[..., None]:
        def run(match: str, *, error: type[Exception] = ExportError, end: int = 3, **options: object) -> None:
            with pytest.raises(error, match=match):
                export_job(bpy.context, ExportOptions(tmp_path / "job", 1, end, **options))
            assert not (tmp_path / "job").exists()

        return run

    def test_no_folder(self, refused: Callable, tmp_path: Path) -> None:
        refused("There is no folder '.*nowhere'", color_source=tmp_path / "nowhere")

    def test_missing_frames(self, lit: bpy.types.Scene, refused: Callable, tmp_path: Path) -> None:
        source = render(lit, tmp_path / "source", "8.png")
        refused("no file for 5 of 8 frames: 4, 5, 6, 7, 8. Expected", end=8, color_source=source)
        refused("no file for 7 of 10 frames: 4, 5, 6, 7, 8 and 2 more", end=10, color_source=source)

    def test_two_files_for_a_frame(self, lit: bpy.types.Scene, refused: Callable, tmp_path: Path) -> None:
        source = render(lit, tmp_path / "source", "8.png")
        shutil.copy(source / "f_0002.png", source / "g_0002.png")
        refused("two files for frame 2: 'f_0002.png' and 'g_0002.png'", color_source=source)

    @pytest.mark.parametrize("kind", ["8.png", "exr", "layers.exr"])
    def test_another_size(self, lit: bpy.types.Scene, refused: Callable, tmp_path: Path, kind: str) -> None:
        source = render(lit, tmp_path / "source", kind)
        lit.render.resolution_percentage = 50
        refused("is 64 x 64 pixels, the scene renders 32 x 32", color_source=source)
        if kind == "layers.exr":
            refused("is 64 x 64 pixels, the scene renders 32 x 32", passes_source=source)

    def test_not_a_picture(self, refused: Callable, tmp_path: Path) -> None:
        for frame in (1, 2, 3):
            (tmp_path / f"{frame}.png").write_bytes(b"no picture")
        refused("'.*1.png' is not a picture that can be read", color_source=tmp_path)

    @pytest.mark.parametrize(
        ("content", "said"), [(b"", "is empty"), (b"no picture", "is not an EXR file"), (None, "is cut off or damaged")]
    )
    def test_not_a_whole_exr(
        self, lit: bpy.types.Scene, refused: Callable, tmp_path: Path, content: bytes | None, said: str
    ) -> None:
        source = render(lit, tmp_path / "source")
        path = source / "f_0002.exr"
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if content is None else content)
        refused(f"f_0002.exr' {said}", color_source=source)
        refused(f"f_0002.exr' {said}", passes_source=source)

    @pytest.mark.parametrize(
        ("switch", "name"),
        [
            ("use_pass_z", "Depth"),
            ("use_pass_vector", "Vector"),
            ("use_pass_cryptomatte_object", "CryptoObject00"),
        ],
    )
    def test_a_pass_is_missing(
        self, lit: bpy.types.Scene, refused: Callable, tmp_path: Path, switch: str, name: str
    ) -> None:
        render(lit, tmp_path / "source")
        setattr(lit.view_layers[0], switch, False)
        lit.frame_start = lit.frame_end = 2
        bpy.ops.render.render(animation=True)
        refused(f"f_0002.exr' lacks the pass {name} .* has .*Combined.*turn on", passes_source=tmp_path / "source")

    def test_a_step_above_1(self, lit: bpy.types.Scene, refused: Callable, tmp_path: Path) -> None:
        source = render(lit, tmp_path / "source")
        refused("frame step is 2, but the vectors", error=SettingsError, frame_step=2, passes_source=source)


def test_later_alpha_is_kept(lit: bpy.types.Scene, tmp_path: Path) -> None:
    source = render(lit, tmp_path / "source", "8.png", mode="RGB")
    (source / "f_0003.png").unlink()
    shutil.copy(render(lit, tmp_path / "alpha", "8.png") / "f_0003.png", source)
    job = export(tmp_path / "job", color_source=source)
    assert job["scene"]["transparent"] is True
    first, last = (read_png(tmp_path / "job" / "color" / f"000{frame}.png") for frame in (1, 3))
    assert first.shape == last.shape == (64, 64, 4)
    assert (first[..., 3] == 65535).all() and last[..., 3].min() == 0


def test_backend_without_the_package(lit: bpy.types.Scene, tmp_path: Path) -> None:
    source = render(lit, tmp_path / "source", "8.png")
    with pytest.raises(BackendError, match=r"(?s)existing frames are read by .* ingest`, which failed .*No module"):
        export(
            tmp_path / "job", color_source=source, reader=BackendCommand((sys.executable, "-m", "warpnoise"), "PATH")
        )


def test_a_later_picture_that_does_not_fit(lit: bpy.types.Scene, tmp_path: Path) -> None:
    """Pictures are decoded when it is their turn: the frames before are finished."""
    source = render(lit, tmp_path / "source", "8.png")
    path = source / "f_0003.png"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ExportError, match=r"f_0003.png' is not a picture"):
        export(tmp_path / "job", color_source=source)
    assert sorted(path.name for path in (tmp_path / "job" / "passes").iterdir()) == ["0001.exr", "0002.exr"]
    assert not (tmp_path / "job" / "job.json").exists()
