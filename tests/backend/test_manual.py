"""The manual's examples for the backend run as they stand there, and the code says the errors that it explains."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from warpnoise.job import Settings

from . import synthetic, tiny_models

ROOT = Path(__file__).resolve().parents[2]
MANUAL = (ROOT / "docs" / "manual.md").read_text("utf-8")
EXAMPLES = [code for code in re.findall(r"^```python\n(.*?)^```", MANUAL, re.S | re.M) if "import bpy" not in code]
MESSAGES = re.findall(r'^\| "(.+?)" \|', MANUAL, re.M)


@pytest.mark.parametrize("code", EXAMPLES, ids=range(len(EXAMPLES)))
def test_example(code, tmp_path, monkeypatch):
    model = tiny_models.write_pixel_model(tmp_path / "model")
    job = synthetic.make_job(tmp_path / "shot", frames=2, settings=Settings(model=str(model), steps=4))
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(compile(code, "manual.md", "exec"), names)
    if "summary" in names:
        assert names["summary"].frames_done == 2
        assert synthetic.finished_frames(job) == job.frames
    else:
        assert names["latent"].shape == (4, 4, 4)


def test_there_are_examples_and_messages():
    assert len(EXAMPLES) == 2
    assert len(MESSAGES) > 20


@cache
def _texts() -> str:
    """Every string of the sources, as it reads with … for what is filled in."""
    found = []
    for folder in (ROOT / "warpnoise_addon", ROOT / "backend" / "warpnoise"):
        for path in folder.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    parts = (v.value if isinstance(v, ast.Constant) else "…" for v in node.values)
                    found.append("".join(map(str, parts)))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value)
    return "\n".join(found)


@pytest.mark.slow
@pytest.mark.parametrize("message", MESSAGES)
def test_the_code_says(message):
    assert message in _texts()
