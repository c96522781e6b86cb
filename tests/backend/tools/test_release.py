"""What a release is made with: its notes, its addresses, and workflows that name what is there."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

import pytest
import yaml

from tools.changelog import section
from tools.project_urls import ROOT, add_urls

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_notes_are_the_versions_section():
    text = "# Changelog\n\n## [Unreleased]\n\n- new\n\n## [0.2.0] - 2026-01-01\n\n- better\n\n## [0.1.0]\n\n- first\n"
    assert section("0.2.0", text) == "- better\n"
    assert section("0.1.0", text) == "- first\n"
    assert section("0.3.0", text) == "- new\n"
    with pytest.raises(ValueError, match="no section"):
        section("1.0.0", "# Changelog\n")


def test_addresses_are_written_once(tmp_path):
    for name in ("pyproject.toml", "blender_manifest.toml"):
        shutil.copy(ROOT / name, tmp_path)
    for _ in range(2):
        add_urls("https://example.org/studio/warpnoise", tmp_path)
    project, manifest = (tomllib.loads((tmp_path / n).read_text()) for n in ("pyproject.toml", "blender_manifest.toml"))
    assert project["project"]["urls"]["Issues"] == "https://example.org/studio/warpnoise/issues"
    assert project["project"]["scripts"] and manifest["website"] == "https://example.org/studio/warpnoise"
    with pytest.raises(ValueError, match="expected https"):
        add_urls('https://example.org/"', tmp_path)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_name_existing_targets_jobs_and_tools(path: Path):
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M)
    jobs = workflow["jobs"]
    for job in jobs.values():
        assert set([job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", [])) <= jobs.keys()
        if "uses" in job:
            assert (ROOT / job["uses"]).is_file()
        for step in job.get("steps", []):
            assert ("run" in step) != ("uses" in step)
            command = step.get("run", "")
            assert set(re.findall(r"\bmake ([\w-]+)", command)) <= set(targets), command
            for tool in re.findall(r"tools[./](\w+)", command.replace(".py", "")):
                assert (ROOT / "tools" / f"{tool}.py").is_file()
