"""Results side by side: listed, switched between, removed; and what stands in the way."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

import bpy
import pytest

import warpnoise_addon
from warpnoise_addon.errors import JobFolderError
from warpnoise_addon.settings import make_settings
from warpnoise_addon.stylize.kept_results import (
    kept_results,
    make_present,
    present_result,
    remove_result,
    use_result,
)

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a lock of another process is played by flock")
OIL, INK = make_settings(style="oil", strength=0.5), make_settings(style="ink", strength=0.5, seed=3)


def write_result(folder: Path, settings: dict, frames: int = 3) -> None:
    """A result whose frames can be told from another's."""
    for part in ("stylized", "records/stylized"):
        (folder / part).mkdir(parents=True)
    for frame in range(1, frames + 1):
        (folder / "stylized" / f"{frame:04d}.png").write_text(settings["style"])
        (folder / "records" / "stylized" / f"{frame:04d}.json").write_text(settings["style"])
    (folder / "stylized.mp4").write_text(settings["style"])
    (folder / "records" / "movie.json").write_text(settings["style"])
    (folder / "records" / "settings.json").write_text(json.dumps(settings))


def contents(folder: Path) -> dict[str, str]:
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != "settings.json"]
    return {str(path.relative_to(folder)): path.read_text() for path in paths if "results" not in path.parts}


@pytest.fixture
def job(tmp_path) -> Path:
    """The result in use is of oil, one of ink is kept."""
    folder = tmp_path / "job"
    write_result(folder, OIL)
    write_result(folder / "results" / "ink", INK, frames=2)
    return folder


def test_two_results_change_places_and_lose_nothing(job):
    oil, ink = contents(job), contents(job / "results" / "ink")
    assert (present_result(job).label, present_result(job).frames) == ("oil, 0.5", 3)
    assert [(kept.name, kept.label, kept.frames) for kept in kept_results(job)] == [("ink", "ink, 0.5, seed 3", 2)]
    use_result(job, "ink")
    assert present_result(job).settings == INK
    assert [kept.settings for kept in kept_results(job)] == [OIL]
    use_result(job, "oil")
    (job / ".lock").unlink()
    assert contents(job) == oil and contents(job / "results" / "ink") == ink


def test_results_from_elsewhere_go_where_they_belong(job):
    make_present(job, OIL)
    assert [kept.settings for kept in kept_results(job)] == [INK]
    make_present(job, INK)
    assert (job / "stylized" / "0001.png").read_text() == "ink"
    new = make_settings(style="ink", strength=0.3)
    make_present(job, new)
    assert present_result(job).settings == new and present_result(job).frames == 0
    assert {kept.name: kept.settings for kept in kept_results(job)} == {"oil": OIL, "ink": INK}


def test_an_old_folder_whose_settings_nobody_knows_is_gone_on_with(job):
    (job / "records" / "settings.json").unlink()
    make_present(job, make_settings(style="clay"))
    assert (job / "stylized" / "0001.png").read_text() == "oil" and len(kept_results(job)) == 1


DAMAGED = [json.dumps(make_settings() | {name: "much"}) for name in ("strength", "steps", "guidance")]


@pytest.mark.parametrize("content", ["", "[]", '{"strength": "much"}', '{"model": null}', *DAMAGED])
def test_what_is_damaged_is_not_listed(job, content):
    (job / "results" / "ink" / "records" / "settings.json").write_text(content)
    assert kept_results(job) == []
    with pytest.raises(JobFolderError, match="no result 'ink'"):
        use_result(job, "ink")


def test_nothing_is_switched_while_somebody_stylizes(job):
    claim = job / ".claims" / "stylizing_0123" / ".lock"
    claim.parent.mkdir(parents=True)
    with claim.open("ab") as file:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        with pytest.raises(JobFolderError, match="being stylized"):
            use_result(job, "ink")
    use_result(job, "ink")  # its holder has ended
    assert not claim.parent.exists()


def test_names_do_not_lead_out_of_the_folder(job):
    remove_result(job, "../../job/stylized")
    assert len(list((job / "stylized").iterdir())) == 3


@pytest.fixture
def scene(job):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    warpnoise_addon.register()
    bpy.context.scene.warpnoise.output = str(job)
    yield bpy.context.scene
    warpnoise_addon.unregister()


def test_the_operators(scene, job):
    image = bpy.data.images.new("fixture", 8, 4)
    for folder, width in ((job, 8), (job / "results" / "ink", 16)):
        image.scale(width, 4)
        image.save(filepath=str(folder / "stylized" / "0001.png"))
    (job / "job.json").write_text(json.dumps({"scene": {"frame_start": 1, "frame_end": 1, "frame_step": 1}}))
    bpy.ops.warpnoise.show_frames()
    (shown,) = [image for image in bpy.data.images if image.source == "SEQUENCE"]
    assert bpy.ops.warpnoise.use_result(result="ink") == {"FINISHED"}
    assert tuple(bpy.data.images.load(shown.filepath).size) == (16, 4)
    with pytest.raises(RuntimeError, match="in use already"):
        bpy.ops.warpnoise.use_result(result="ink")
    assert bpy.ops.warpnoise.remove_result(result="oil") == {"FINISHED"}
    assert kept_results(job) == []
