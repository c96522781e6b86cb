"""The demo hands its settings to the add-on's command, whose parser must take them."""

from __future__ import annotations

from pathlib import Path

import pytest
from warpnoise.demo.steps import DemoOptions, _arguments
from warpnoise.job import Settings

from warpnoise_addon.arguments import make_parser

CHANGES = {
    "prompt": "- a dash first",
    "strength": 0.25,
    "steps": 6,
    "loras": [{"path": "a.safetensors", "weight": 0.5}, {"path": "b.safetensors"}],
    "controls": [{"path": "depth", "input": "lines", "end": 0.75}],
}


@pytest.mark.parametrize("settings", [Settings(), Settings().updated(CHANGES)])
def test_the_add_on_takes_the_demo_s_settings(settings: Settings, tmp_path: Path) -> None:
    words = _arguments(DemoOptions(tmp_path, settings), tmp_path / "job", tmp_path / "a.blend")
    parsed = vars(make_parser("warpnoise").parse_args(words))
    given = {name: value for name, value in parsed.items() if name in Settings.model_fields}
    assert Settings().updated(given) == settings
    assert parsed["frames"] == "1:24"
