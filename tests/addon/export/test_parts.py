"""Parts of one job, exported by several machines into one folder, are the job that one machine exports."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import bpy
import pytest

from warpnoise_addon.errors import JobFolderError, SettingsError
from warpnoise_addon.export import ExportOptions, export_job
from warpnoise_addon.export.files import Lease, frame_mutex

from .export_scenes import add_mesh, key
from .exr_passes import read_exr
from .png_pixels import read_png

FRAMES = range(1, 7)
PARTS = [range(1, 3), range(3, 5), range(5, 7)]


@pytest.fixture
def saved(scene: bpy.types.Scene, tmp_path: Path) -> bpy.types.Scene:
    """A cube that moves from frame 2 on, beside one that stands still, in a file."""
    key(add_mesh(scene, "cube", "Moves"), "location", {2: (0, 0, 0), 6: (1, 0, 0)})
    add_mesh(scene, "plane", "Stands", location=(0, 0, -1))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    return bpy.context.scene


def start(folder: Path, part: range | None, **options: object):
    return export_job(bpy.context, ExportOptions(folder, FRAMES[0], FRAMES[-1], color_frames=part, **options))


def pictures(folder: Path) -> dict[str, bytes]:
    """The pixels alone: Blender writes the date beside them."""

    def pixels(path: Path) -> bytes:
        if path.suffix == ".png":
            return read_png(path).tobytes()
        channels = read_exr(path)[1]
        return b"".join(name.split(".", 1)[1].encode() + channels[name].tobytes() for name in sorted(channels))

    files = [path for kind in ("color", "passes") for path in sorted((folder / kind).iterdir())]
    return {str(path.relative_to(folder)): pixels(path) for path in files}


def frames_of(folder: Path) -> list[int]:
    return [entry["frame"] for entry in json.loads((folder / "job.json").read_text())["frames"]]


@pytest.fixture
def whole(saved: bpy.types.Scene, tmp_path: Path) -> Path:
    list(start(tmp_path / "whole", None))
    return tmp_path / "whole"


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_one_after_the_other(whole: Path, tmp_path: Path, order: list[int]) -> None:
    folder = tmp_path / "job"
    for number in order:
        items = list(start(folder, PARTS[number]))
        assert [item.frame for item in items[:2]] == list(PARTS[number])
        assert items[-1].frames_done == items[-1].frames_total == PARTS[number][-1]
        assert all((item.color is None) == (item.frame not in PARTS[number]) for item in items)
        assert frames_of(folder)[: PARTS[number][-1]] == list(range(1, PARTS[number][-1] + 1))
    assert pictures(folder) == pictures(whole)
    assert (folder / "job.json").read_text() == (whole / "job.json").read_text()
    # What moves not is said once.
    assert [sorted(entry["objects"]) for entry in json.loads((whole / "job.json").read_text())["frames"]][:2] == [
        ["Moves", "Stands"],
        [],
    ]


def test_all_at_once_nothing_is_rendered_twice(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "job"
    exports = [start(folder, part) for part in PARTS]
    rendered = {number: [] for number in range(len(PARTS))}
    for _ in FRAMES:  # in turns, as if they ran side by side
        for number, export in enumerate(exports):
            with contextlib.suppress(StopIteration):
                item = next(export)
                rendered[number] += [] if item.existed else [item.frame]
    for export in exports:
        export.close()
    assert rendered == {0: [1, 2], 1: [3, 4], 2: [5, 6]}
    assert pictures(folder) == pictures(whole)
    assert (folder / "job.json").read_text() == (whole / "job.json").read_text()


def test_a_part_alone_has_only_what_it_needs(saved: bpy.types.Scene, tmp_path: Path) -> None:
    list(start(tmp_path / "job", PARTS[1]))
    assert list(pictures(tmp_path / "job")) == [
        "color/0003.png",
        "color/0004.png",
        *(f"passes/000{frame}.exr" for frame in (1, 2, 3, 4)),
    ]
    assert frames_of(tmp_path / "job") == [1, 2, 3, 4]


def test_a_second_run_continues_unless_the_file_has_changed(saved: bpy.types.Scene, tmp_path: Path) -> None:
    folder = tmp_path / "job"
    export = start(folder, PARTS[1])
    next(export)
    export.close()
    assert [item.existed for item in start(folder, PARTS[1])] == [True, False, False, False]
    assert all(item.existed for item in start(folder, PARTS[1]))
    saved.objects["Stands"].location.x += 1.0
    bpy.ops.wm.save_mainfile()
    assert not any(item.existed for item in start(folder, PARTS[1]))
    bpy.ops.wm.save_mainfile()
    assert all(item.existed for item in start(folder, PARTS[1], keep_existing=True))


def test_job_json_of_another_file_is_removed_while_a_part_is_rendered(saved: bpy.types.Scene, tmp_path: Path) -> None:
    list(start(tmp_path / "job", PARTS[0]))
    saved.objects["Stands"].location.x += 1.0
    bpy.ops.wm.save_mainfile()
    with contextlib.closing(start(tmp_path / "job", PARTS[0])) as again:
        next(again)
        assert not (tmp_path / "job" / "job.json").exists()


def test_two_on_the_same_frames_and_one_on_all(saved: bpy.types.Scene, tmp_path: Path) -> None:
    folder = tmp_path / "job"
    with contextlib.closing(start(folder, PARTS[1])) as other:
        next(other)
        for part in (range(4, 6), None):
            with pytest.raises(JobFolderError, match="Another process works on frames 3 to 4 of the job folder"):
                next(start(folder, part))
        assert next(start(folder, PARTS[0])).frame == 1


def test_a_frame_of_another_machine_is_made_last(saved: bpy.types.Scene, tmp_path: Path) -> None:
    folder = tmp_path / "job"
    with frame_mutex(make(folder), 2) as ours:
        assert ours
        assert [item.frame for item in start(folder, PARTS[2])] == [5, 6, 4, 3, 1, 2]


def test_leftovers_of_a_killed_process_are_removed(saved: bpy.types.Scene, tmp_path: Path) -> None:
    folder = make(tmp_path / "job")
    lease = Lease(folder, None)
    (lease.folder / "0001.png").touch()
    lease._file.close()  # as its end would
    next(start(folder, PARTS[0]))
    assert not lease.folder.exists()


def test_a_linked_folder_of_leases_is_refused_and_keeps_its_files(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    photo = elsewhere / "all_photos" / "p.jpg"
    photo.parent.mkdir(parents=True)
    photo.write_bytes(b"a photo")
    job = tmp_path / "job"
    job.mkdir()
    (job / ".leases").symlink_to(elsewhere)
    with pytest.raises(JobFolderError, match=r"\.leases' is a link"):
        Lease(job, (1, 2))
    assert photo.read_bytes() == b"a photo"


def test_folders_without_a_lock_are_no_leases_and_keep_their_files(tmp_path: Path) -> None:
    photo = tmp_path / ".leases" / "all_photos" / "p.jpg"
    photo.parent.mkdir(parents=True)
    photo.write_bytes(b"a photo")
    Lease(tmp_path, None).release()
    assert photo.read_bytes() == b"a photo"


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / ".lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError):
        Lease(tmp_path, None)
    assert not (tmp_path / "elsewhere").exists()


def test_an_invalid_part(saved: bpy.types.Scene, export: Callable, tmp_path: Path) -> None:
    for part in (range(0), range(5, 9)):
        with pytest.raises(SettingsError, match="The shot has no"):
            start(tmp_path / "job", part)


def make(folder: Path) -> Path:
    folder.mkdir()
    return folder
