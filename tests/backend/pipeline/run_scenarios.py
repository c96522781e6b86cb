"""What `test_kill_points` does to a folder that holds a shot and a model, in processes of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from warpnoise.job import Result, Settings, Shot
from warpnoise.pipeline import Summary, stylize

from .. import synthetic
from ..tiny_models import write_styled_model

FRAMES = (1, 2)


def make_shot(folder: Path) -> None:
    """A shot of two frames, and beside the folder a model of two styles, whose path stands in the results."""
    model = write_styled_model(folder.parent / "model")
    settings = Settings(model=str(model), steps=2, noise="nearest")
    synthetic.make_job(folder / "shot", frames=len(FRAMES), width=16, height=12, settings=settings)


def stylize_ink(folder: Path) -> None:
    _report(folder, _stylize(folder, "ink"))


def stylize_clay(folder: Path) -> None:
    """With accumulation: its result holds another, of the frames before it."""
    _report(folder, _stylize(folder, "clay"))


def preview_frame(folder: Path) -> None:
    _report(folder, _stylize(folder, "ink", frames=[2], preview=True))


def use_ink(folder: Path) -> None:
    """Switches from clay to ink."""
    shot = Shot.open(folder / "shot")
    [ink] = [result for result in shot.results() if result.name.startswith("ink-")]
    shot.use(ink)


def report(folder: Path) -> dict[str, Any]:
    """What the last whole run said: ``frames_kept``, ``result``."""
    content: dict[str, Any] = json.loads((folder.parent / f"{folder.name}.json").read_text())
    return content


def _stylize(folder: Path, style: str, **options: Any) -> Summary:
    shot = Shot.open(folder / "shot")
    coherence = "lively" if style == "clay" else "off"
    return stylize(shot, shot.settings.updated({"style": style, "coherence": coherence}), batch=1, **options)


def _report(folder: Path, summary: Summary) -> None:
    assert isinstance(summary.result, Result)
    content = {"frames_kept": summary.frames_kept, "result": summary.result.name}
    (folder.parent / f"{folder.name}.json").write_text(json.dumps(content))
