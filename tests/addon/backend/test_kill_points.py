"""A result that is fetched from a server, killed at every file operation."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import bpy
import pytest
from kill_points.children import Children

from ..result_files import result_of
from . import fetch_scenarios as scenarios
from .remote.conftest import job  # noqa: F401  the fixture

UPLOAD = ".upload.json"
"""It names the server, which has another port each time."""

pytestmark = [
    pytest.mark.kill,
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix" or bool(bpy.app.binary_path), reason="processes are forked"),
    pytest.mark.skipif(bpy.app.version < (5, 0), reason="the file operations are alike in all versions"),
]


def test_a_fetched_result_is_whole_or_fetched_again(job: Path, tmp_path: Path) -> None:  # noqa: F811
    children = Children(["addon.backend.fetch_scenarios"], without=Path(bpy.utils.resource_path("LOCAL")))
    before, whole = tmp_path / "before", tmp_path / "whole"
    before.mkdir()
    shutil.move(job, before / "job")
    shutil.copytree(before, whole)
    assert children.run(scenarios.fetch_result, whole)
    expected = files(whole)
    assert result_of(whole / "job").is_dir()
    for how, folder in children.kill_everywhere(scenarios.fetch_result, before, tmp_path / "work"):
        for name, content in files(folder).items():
            assert expected[name] == content, f"{how}: {name}"
        assert children.run(scenarios.fetch_result, folder)
        assert files(folder) == expected, how


def files(folder: Path) -> dict[str, bytes]:
    """Everything in the job folder but locks, unfinished files and where it was sent."""
    root = folder / "job"
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.suffix not in (".lock", ".tmp", ".part") and path.name not in (".lock", UPLOAD)
    }
