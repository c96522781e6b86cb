"""What cannot be exported is refused before anything is rendered, in words that say what to do."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import addon_utils
import bpy
import pytest

from warpnoise_addon.errors import ExportError, JobFolderError, SettingsError
from warpnoise_addon.export import ExportOptions, export_job

from .export_scenes import add_camera, add_mesh


@pytest.fixture
def refused(scene: bpy.types.Scene, tmp_path: Path) -> Callable[..., None]:
    def run(error: type[Exception], match: str, start: int = 1, end: int = 3, **options: object) -> None:
        with pytest.raises(error, match=match):
            export_job(bpy.context, ExportOptions(tmp_path / "job", start, end, **options))
        assert not (tmp_path / "job").exists()

    return run


def test_no_camera(scene: bpy.types.Scene, refused: Callable) -> None:
    scene.camera = None
    refused(ExportError, "Scene 'Scene' has no camera. Add one")


def test_an_object_that_is_not_a_camera(scene: bpy.types.Scene, refused: Callable) -> None:
    scene.camera = add_mesh(scene, "cube", "Cube")
    refused(ExportError, "looks through 'Cube', an object of type MESH. Expected a camera")


def test_panoramic_camera(scene: bpy.types.Scene, refused: Callable) -> None:
    scene.camera.data.type = "PANO"
    refused(ExportError, "'Camera', whose lens is of type PANO. Expected a perspective or an orthographic camera")


def test_panoramic_camera_after_a_marker(scene: bpy.types.Scene, refused: Callable, export: Callable) -> None:
    for frame, camera in ((1, scene.camera), (3, add_camera(scene, "Panorama"))):
        scene.timeline_markers.new(camera.name, frame=frame).camera = camera
    bpy.data.cameras["Panorama"].type = "PANO"
    refused(ExportError, "at frame 3 looks through 'Panorama'")
    assert len(export(1, 2)) == 2, "it is not used before"


def test_camera_that_becomes_panoramic(scene: bpy.types.Scene, export: Callable, tmp_path: Path) -> None:
    from .export_scenes import key

    key(scene.camera.data, "type", {1: "PERSP", 3: "PANO"})
    scene.camera.data.type = "PERSP"
    with pytest.raises(ExportError, match="at frame 3 looks through 'Camera', whose lens is of type PANO"):
        export(1, 4)
    assert sorted(path.name for path in (tmp_path / "job" / "passes").iterdir()) == ["0001.exr", "0002.exr"]


def test_camera_without_size(scene: bpy.types.Scene, export: Callable) -> None:
    scene.camera.scale = (0, 0, 0)
    with pytest.raises(ExportError, match="Camera 'Camera' has no size at frame 1: its scale is 0"):
        export(1, 1)


def test_no_view_layer(scene: bpy.types.Scene, refused: Callable) -> None:
    scene.view_layers[0].use = False
    refused(ExportError, "No view layer of scene 'Scene' is rendered. Switch on 'Use for Rendering'")


@pytest.mark.parametrize(
    ("start", "end", "step", "match"),
    [
        (5, 4, 1, "range is empty: it ends at 4, before its start at 5"),
        (1, 4, 0, "step must be 1 or more, got 0"),
        (1, 4, -2, "step must be 1 or more, got -2"),
        (1, 1_048_574, 1, "are outside Blender's frame range"),
        (-1_048_574, 4, 1, "are outside Blender's frame range"),
        (1, 4, 2_000_000, "are outside Blender's frame range"),
    ],
)
def test_frame_range(refused: Callable, start: int, end: int, step: int, match: str) -> None:
    refused(SettingsError, match, start, end, frame_step=step)


@pytest.fixture
def without_cycles(scene: bpy.types.Scene) -> Iterator[None]:
    scene.render.engine = "BLENDER_WORKBENCH"
    addon_utils.disable("cycles")
    yield
    addon_utils.enable("cycles")


def test_no_cycles(scene: bpy.types.Scene, without_cycles: None, refused: Callable) -> None:
    refused(ExportError, "motion render needs Cycles, which is missing. Enable the add-on 'Cycles Render Engine'")
    assert scene.render.engine == "BLENDER_WORKBENCH"


def test_folder_that_is_a_file(scene: bpy.types.Scene, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(JobFolderError, match=r"'.*file' cannot be written: .*Choose another folder"):
        list(export_job(bpy.context, ExportOptions(tmp_path / "file", 1, 1)))
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="needs a user whom permissions bind")
def test_folder_without_permission(scene: bpy.types.Scene, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(JobFolderError, match="cannot be written: Permission denied"):
        list(export_job(bpy.context, ExportOptions(tmp_path / "locked" / "job", 1, 1)))


HOLD_LOCK = """
import sys
import fcntl
file = open(sys.argv[1], "ab")
fcntl.flock(file, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the other process locks as Unix does")
def test_folder_that_another_process_works_on(scene: bpy.types.Scene, export: Callable, tmp_path: Path) -> None:
    (tmp_path / "job").mkdir()
    lease = tmp_path / "job" / ".leases" / "3_5_0123456789ab"
    lease.mkdir(parents=True)
    command = [shutil.which("python3") or sys.executable, "-c", HOLD_LOCK, str(lease / ".lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(JobFolderError, match="Another process works on frames 3 to 5 of the job folder"):
            export(1, 1)
        part = {"color_frames": range(1, 3)}
        assert len(export(1, 5, **part)) == 2
        other.stdin.close()
        other.wait()
    assert len(export(1, 1)) == 1
    assert not lease.exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device without room")
@pytest.mark.parametrize("file", ["0002.png", "0002.exr"])
def test_full_disk_while_blender_writes(
    scene: bpy.types.Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    add_mesh(scene, "cube", "Cube", size=3)
    export = export_job(bpy.context, ExportOptions(tmp_path / "job", 1, 3))
    next(export)
    lease = next((tmp_path / "job" / ".leases").iterdir())
    (lease / file).symlink_to("/dev/full")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    with pytest.raises(JobFolderError, match=rf"The disk is full: '.*{file}' could not be .*finished frames are kept"):
        list(export)
    found = {str(path.relative_to(tmp_path / "job")) for path in (tmp_path / "job").rglob("*") if path.is_file()}
    found -= {"color/0002.png", "records/color/0002.json"}
    assert found == {".lock"} | {
        f"{place}/0001.{suffix}"
        for place, suffix in (
            ("color", "png"),
            ("passes", "exr"),
            ("records/color", "json"),
            ("records/passes", "json"),
        )
    }


def test_full_disk_while_the_record_is_written(
    scene: bpy.types.Scene, export: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(JobFolderError, match=r"The disk is full: '.*records.color.0001\.json' could not be written"):
        export(1, 1)
    assert not list((tmp_path / "job" / ".leases").iterdir())


def test_ignored_render_settings_are_reported(scene: bpy.types.Scene, export: Callable) -> None:
    assert export(1, 1)[0].warnings == ()
    scene.render.use_multiview = scene.render.use_border = True
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    strips.new_scene("Scene", scene, channel=1, frame_start=1)
    first, second = export(1, 2)
    assert [warning.split(":")[0] for warning in first.warnings] == [
        "Stereoscopy is on",
        "A render region is on",
        "The scene has a video sequence",
    ]
    assert second.warnings == ()
