"""Switching and deleting results, killed at every file operation."""

from __future__ import annotations

import os
from pathlib import Path

import bpy
import pytest
from kill_points.children import Children

from warpnoise_addon.results import current_folder, list_results

from . import result_scenarios as scenarios
from .result_scenarios import CLAY, INK

pytestmark = [
    pytest.mark.kill,
    pytest.mark.skipif(os.name != "posix" or bool(bpy.app.binary_path), reason="processes are forked"),
]


@pytest.fixture(scope="module")
def children() -> Children:
    return Children(["addon.result_scenarios"], without=Path(bpy.utils.resource_path("LOCAL")))


@pytest.fixture
def before(tmp_path: Path) -> Path:
    folder = tmp_path / "before"
    folder.mkdir()
    scenarios.make_results(folder)
    return folder


def pictures(folder: Path, name: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "results" / name / "frames").iterdir())}


def test_a_switch_leaves_one_result_in_use_and_all_frames(children: Children, before: Path, tmp_path: Path) -> None:
    for how, folder in children.kill_everywhere(scenarios.use_ink, before, tmp_path / "work"):
        current = current_folder(folder)
        assert current is not None and current.name in (INK, CLAY), how
        for name in (INK, CLAY):
            assert pictures(folder, name) == pictures(before, name), how
        assert children.run(scenarios.use_ink, folder)
        assert current_folder(folder) == folder / "results" / INK, how


@pytest.mark.slow
def test_a_deletion_leaves_the_result_whole_or_unlisted(children: Children, before: Path, tmp_path: Path) -> None:
    for how, folder in children.kill_everywhere(scenarios.remove_ink, before, tmp_path / "work"):
        names = [result.name for result in list_results(folder)]
        assert names in ([CLAY, INK], [CLAY]), how
        if INK in names:
            assert pictures(folder, INK) == pictures(before, INK), how
        assert pictures(folder, CLAY) == pictures(before, CLAY), how
        assert current_folder(folder) == folder / "results" / CLAY, how
        assert children.run(scenarios.remove_ink, folder)
        left = [path.name for path in (folder / "results").iterdir()]
        assert left == [CLAY], f"{how}: the next deletion removes what is left"
