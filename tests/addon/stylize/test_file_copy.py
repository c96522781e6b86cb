"""The copy of the open file for a second Blender: what lies beside the file is found, and nothing is left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest

import warpnoise_addon
from warpnoise_addon.errors import ExportError
from warpnoise_addon.stylize import second_blender
from warpnoise_addon.stylize.second_blender import remove_copy, save_copy

from ..export.export_scenes import add_camera, add_mesh, empty_scene
from ..export.exr_passes import read_passes


@pytest.fixture
def blend(tmp_path: Path) -> Path:
    """A saved file with a falling cloth that is baked into a disk cache; an orthographic camera, 64 x 64 pixels."""
    scene = empty_scene(64, 64)
    add_camera(scene).data.type = "ORTHO"
    scene.camera.data.ortho_scale = 8.0
    scene.gravity = (0, 0, -25)
    grid = add_mesh(scene, "grid", "Falling", x_subdivisions=3, y_subdivisions=3, rotation=(1.3, 0, 0))
    cache = grid.modifiers.new("Cloth", "CLOTH").point_cache
    path = tmp_path / "shots" / "scene.blend"
    path.parent.mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    cache.use_disk_cache = True
    cache.name = "flag"
    cache.frame_end = 8
    bpy.ops.ptcache.bake_all(bake=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    assert len(list((path.parent / "blendcache_scene").iterdir())) == 8
    return path


def everything(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.slow
@pytest.mark.skipif(bool(bpy.app.binary_path), reason="the process that it starts needs the bpy wheel")
def test_a_second_blender_finds_the_disk_caches(blend: Path, tmp_path: Path) -> None:
    before = everything(blend.parent)
    bpy.context.scene.camera.location.x = -1.0  # not saved
    copy = save_copy()
    assert copy.warnings == ()
    command = [
        sys.executable,
        "-m",
        "warpnoise_addon",
        str(copy.path),
        "export",
        "--frames=5:6",
        f"--output={tmp_path}/job",
    ]
    root = str(Path(warpnoise_addon.__file__).parents[1])
    subprocess.run(command, check=True, cwd=root, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=120)
    remove_copy(copy.path)
    found = read_passes(tmp_path / "job" / "passes" / "0006.exr")
    where = found.where("Falling")
    assert found.vector[where][:, 1].mean() > 0.3, "it falls"
    assert np.argwhere(where).mean(0)[1] == pytest.approx(39.5, abs=1), "as the camera that was moved sees it"
    assert everything(blend.parent) == before


def test_the_copy_lies_beside_the_file(blend: Path) -> None:
    before = set(blend.parent.iterdir())
    copy = save_copy()
    assert copy.path.parent == blend.parent
    new = set(blend.parent.iterdir()) - before
    assert copy.path in new and all("warpnoise" in path.name for path in new)
    assert bpy.data.filepath == str(blend)
    remove_copy(copy.path)
    assert set(blend.parent.iterdir()) == before


def test_only_copies_are_removed(blend: Path) -> None:
    before = everything(blend.parent)
    remove_copy(blend)
    assert everything(blend.parent) == before


def test_without_a_disk_cache_nothing_is_linked(blend: Path) -> None:
    bpy.data.objects["Falling"].modifiers.clear()
    before = set(blend.parent.iterdir())
    copy = save_copy()
    assert set(blend.parent.iterdir()) - before == {copy.path}
    remove_copy(copy.path)


def test_files_that_cannot_be_linked_are_copied(blend: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    copy = save_copy()
    (folder,) = (path for path in blend.parent.iterdir() if path.name.startswith("blendcache_.scene"))
    assert len(list(folder.iterdir())) == 8
    remove_copy(copy.path)
    assert not folder.exists() and len(list((blend.parent / "blendcache_scene").iterdir())) == 8


def test_missing_files_elsewhere_are_named(blend: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can be written beside the file."""
    bpy.data.texts.new("reader.py").write('open(bpy.path.abspath("//table.csv"))')
    bpy.data.texts.new("other.py").write("1 // 2  # no path")
    bpy.data.objects["Falling"].driver_add("location", 0).driver.expression = 'lookup("//table.csv")'
    save = second_blender._save

    def refuse(path: Path) -> None:
        if path.parent == blend.parent:
            raise ExportError("read-only")
        save(path)

    monkeypatch.setattr(second_blender, "_save", refuse)
    copy = save_copy()
    assert copy.path.is_file() and copy.path.parent != blend.parent
    (warning,) = copy.warnings
    assert "the disk cache of 'Falling'" in warning
    assert "the text 'reader.py'" in warning and "other.py" not in warning
    assert "a driver of 'Falling'" in warning
    remove_copy(copy.path)
    assert not copy.path.parent.exists()


def test_a_file_that_was_never_saved() -> None:
    empty_scene(8, 8)
    copy = save_copy()
    assert copy.path.is_file() and copy.warnings == ()
    remove_copy(copy.path)
    assert not copy.path.parent.exists()
