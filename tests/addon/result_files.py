"""The files of a job's result in use, and results made by hand."""

from __future__ import annotations

import json
from pathlib import Path

from warpnoise_addon.results import current_folder
from warpnoise_addon.settings import Settings, make_settings

NAME = "ink-00000000"
"""The result that the fake backends make."""


def result_of(job: Path) -> Path:
    """The folder of the result in use; one that is not there if there is none."""
    return current_folder(job) or job / "results" / "none"


def frames_of(job: Path) -> Path:
    return result_of(job) / "frames"


def write_result(job: Path, name: str = NAME, settings: Settings | None = None, current: bool = True) -> Path:
    """A result without frames yet, and its folder."""
    folder = job / "results" / name
    for part in ("frames", "records", "leases"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    content = {"schema": 2, "settings": dict(settings or make_settings()), "model": {"name": "default", "digest": "00"}}
    (folder / "settings.json").write_text(json.dumps(content))
    if current:
        (job / "current.json").write_text(json.dumps({"result": name}))
    return folder
