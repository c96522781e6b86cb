"""A run, a preview and a switch of results, killed at every file operation: no finished frame is lost.

The run that continues is this process's own, which costs half of another one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest
from kill_points.children import Children, Scenario
from warpnoise.job import Result, Shot

from . import run_scenarios as scenarios
from .conftest import settle

pytestmark = [
    pytest.mark.kill,
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="processes are forked"),
]


@pytest.fixture(scope="module")
def children() -> Children:
    return Children(["backend.pipeline.kill_warm_up"])


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shot without results."""
    folder = tmp_path_factory.mktemp("fresh") / "work"
    scenarios.make_shot(folder)
    settle(folder.parent)
    return folder


@pytest.fixture(scope="module")
def both(children: Children, fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shot with two results; clay is the current one."""
    return after(children, fresh, tmp_path_factory.mktemp("both"), scenarios.stylize_ink, scenarios.stylize_clay)


def after(children: Children, before: Path, place: Path, *did: Scenario) -> Path:
    """A copy of ``before`` on which these ran whole, at a path like all the others' (records hold none)."""
    folder = place / "work"
    shutil.copytree(before, folder)
    for scenario in did:
        assert children.run(scenario, folder)
    return folder


def test_a_run_loses_at_most_the_frame_in_flight(children: Children, fresh: Path, tmp_path: Path) -> None:
    expected = files(after(children, fresh, tmp_path / "whole", scenarios.stylize_ink))
    for how, folder in children.kill_everywhere(scenarios.stylize_ink, fresh, tmp_path / "work"):
        done = check_frames(folder, expected, how)
        scenarios.stylize_ink(folder)
        assert kept(folder) == done, f"{how}: {done} frames were finished"
        assert files(folder) == expected, how


def test_a_run_beside_another_result_leaves_that_alone(children: Children, fresh: Path, tmp_path: Path) -> None:
    ink = after(children, fresh, tmp_path / "ink", scenarios.stylize_ink)
    before, expected = files(ink), files(after(children, ink, tmp_path / "whole", scenarios.stylize_clay))
    for how, folder in children.kill_everywhere(scenarios.stylize_clay, ink, tmp_path / "work"):
        now = files(folder)
        assert {name: now.get(name) for name in before if name != "current.json"} == {
            name: digest for name, digest in before.items() if name != "current.json"
        }, how
        assert now["current.json"] in (before["current.json"], expected["current.json"]), how
        done = check_frames(folder, expected, how, style="clay")
        scenarios.stylize_clay(folder)
        assert kept(folder) == done, how
        assert files(folder) == expected, how


def test_a_preview_makes_nothing_current(children: Children, fresh: Path, tmp_path: Path) -> None:
    expected = files(after(children, fresh, tmp_path / "whole", scenarios.stylize_ink))
    for how, folder in children.kill_everywhere(scenarios.preview_frame, fresh, tmp_path / "work"):
        assert not (folder / "shot" / "current.json").exists(), how
        scenarios.stylize_ink(folder)
        assert files(folder) == expected, how


def test_a_switch_of_results_loses_nothing(children: Children, both: Path, tmp_path: Path) -> None:
    before, expected = files(both), files(after(children, both, tmp_path / "whole", scenarios.use_ink))
    assert before != expected
    for how, folder in children.kill_everywhere(scenarios.use_ink, both, tmp_path / "work"):
        assert files(folder) in (before, expected), how
        scenarios.use_ink(folder)
        assert files(folder) == expected, how


def files(folder: Path) -> dict[str, str]:
    """Digest of each file of the shot by its path, but for locks, unfinished files and remembered digests."""
    shot = folder / "shot"
    return {
        str(path.relative_to(shot)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(shot.rglob("*"))
        if path.is_file() and path.suffix not in (".lock", ".tmp") and path.name not in (".lock", "digests.json")
        if path.parent.suffix != ".tmp"
    }


def check_frames(folder: Path, expected: dict[str, str], how: str, style: str = "ink") -> int:
    """How many frames of a result are finished; all files that are there must be whole."""
    now = files(folder)
    for name, digest in now.items():
        assert name == "current.json" or digest == expected.get(name), f"{how}: {name}"
    results = [result for result in Shot.open(folder / "shot").results() if result.name.startswith(style)]
    stylized = [result.raw if style == "clay" else result for result in results]
    return sum(finished(result, frame) for result in stylized for frame in scenarios.FRAMES)


def finished(result: Result, frame: int) -> bool:
    picture = result.frame(frame)
    record = result.record(picture)
    return record is not None and result.is_finished(picture, record.made_of)


def kept(folder: Path) -> int:
    count: int = scenarios.report(folder)["frames_kept"]
    return count
